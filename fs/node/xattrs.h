/* SPDX-License-Identifier: MIT */
/* Extended attributes, as getxattr(2) and listxattr(2) give them. */
#ifndef FS_NODE_XATTRS_H
#define FS_NODE_XATTRS_H

#include <stddef.h>
#include <sys/types.h>

struct nodes;
struct xattr_run;

/* The length; -ENODATA, but -EOPNOTSUPP for a label of SELinux; -ERANGE; -EIO. */
ssize_t xattrs_get(const struct nodes *n, const struct xattr_run *run, const char *name,
		   void *buf, size_t size);
/* The length; -ERANGE, -EIO. */
ssize_t xattrs_list(const struct nodes *n, const struct xattr_run *run, char *buf,
		    size_t size);

#endif
