/* SPDX-License-Identifier: MIT */
/*
 * Lookups and listings in one directory at one time. libfuse before 3.17 accepts
 * FUSE_CAP_PARALLEL_DIROPS and then leaves it out of its reply to INIT. So the kernel sends one
 * request for a directory after another, and the others sleep where not even SIGKILL ends them.
 */
#ifndef FS_FUSE_PARALLEL_H
#define FS_FUSE_PARALLEL_H

struct fuse_session;

/*
 * Adds the flag where libfuse does not. @se is mounted, has read no request yet, and its user
 * data is a struct served. 0 or negative errno.
 */
int parallel_set_up(struct fuse_session *se);

#endif
