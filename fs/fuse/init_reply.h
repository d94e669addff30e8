/* SPDX-License-Identifier: MIT */
/*
 * What libfuse leaves out of its reply to INIT, if the kernel offers it:
 *
 *	parallel	Several lookups and listings in one directory at one time. libfuse
 *			before 3.17 accepts FUSE_CAP_PARALLEL_DIROPS, but leaves it out. Then
 *			the kernel sends the requests for a directory one by one, and the
 *			others sleep where not even SIGKILL ends them.
 *	idmapped	mount_setattr(2) with MOUNT_ATTR_IDMAP, which engines use for containers
 *			with user namespaces: Linux 6.12. Requests then do not say who makes
 *			them, but for their process.
 */
#ifndef FS_FUSE_INIT_REPLY_H
#define FS_FUSE_INIT_REPLY_H

#include <stdbool.h>

struct fuse_session;
struct served;

/*
 * @se is mounted and has read no request yet; its user data is @s.
 * @has_permissions: the mount has default_permissions, without which the kernel accepts no
 * idmapped ones. Without memory both stay away: slower, but correct.
 */
void init_reply_set_up(struct fuse_session *se, struct served *s, bool has_permissions);

#endif
