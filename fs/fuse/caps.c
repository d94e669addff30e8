/* SPDX-License-Identifier: MIT */
#include "fs/fuse/caps.h"

#include <fuse_lowlevel.h>

bool caps_has(const struct fuse_conn_info *conn, unsigned long cap)
{
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 17)
	return conn->capable_ext & cap;
#else
	return conn->capable & cap;
#endif
}

void caps_want(struct fuse_conn_info *conn, unsigned long cap)
{
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 17)
	(void)fuse_set_feature_flag(conn, cap);
#else
	if (conn->capable & cap)
		conn->want |= (unsigned)cap;
#endif
}

void caps_refuse(struct fuse_conn_info *conn, unsigned long cap)
{
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 17)
	fuse_unset_feature_flag(conn, cap);
#else
	conn->want &= ~(unsigned)cap;
#endif
}
