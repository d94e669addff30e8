/* SPDX-License-Identifier: MIT */
/*
 * The file system as libfuse calls it: each request gets exactly one reply. The userdata of
 * a session is struct served.
 */
#ifndef FS_FUSE_OPERATIONS_H
#define FS_FUSE_OPERATIONS_H

struct fuse_lowlevel_ops;

const struct fuse_lowlevel_ops *ops_table(void);

#endif
