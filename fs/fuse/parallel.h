/* SPDX-License-Identifier: MIT */
/*
 * Several lookups and listings in one directory at one time. libfuse before 3.17 accepts
 * FUSE_CAP_PARALLEL_DIROPS, but leaves it out of its reply to INIT. Then the kernel sends the
 * requests for a directory one by one, and the others sleep where not even SIGKILL ends them.
 */
#ifndef FS_FUSE_PARALLEL_H
#define FS_FUSE_PARALLEL_H

struct fuse_session;

/*
 * Adds the flag where libfuse does not. @se is mounted and has read no request yet; its user
 * data is a struct served. Without memory the flag stays away: slower, but correct.
 */
void parallel_set_up(struct fuse_session *se);

#endif
