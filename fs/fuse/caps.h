/* SPDX-License-Identifier: MIT */
/*
 * The capabilities of a connection to the kernel (FUSE_CAP_*), which libfuse has in other
 * fields from 3.17 on.
 */
#ifndef FS_FUSE_CAPS_H
#define FS_FUSE_CAPS_H

#include <stdbool.h>

struct fuse_conn_info;

/* Whether the kernel has it. */
bool caps_has(const struct fuse_conn_info *conn, unsigned long cap);
/* Asks for it, if the kernel has it. */
void caps_want(struct fuse_conn_info *conn, unsigned long cap);
void caps_refuse(struct fuse_conn_info *conn, unsigned long cap);

#endif
