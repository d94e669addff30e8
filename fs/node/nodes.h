/* SPDX-License-Identifier: MIT */
/*
 * Everything in the mount, by node: the merged trees, the documents around them, the names
 * of a namespace. The interface of the file system, without FUSE.
 *
 * All calls: any thread, once mount_load() has succeeded. Something may have to be loaded or
 * fetched first; the waiter (NULL: a wait that cannot be ended) lets the wait be ended with
 * -EINTR. Failures are counted and logged; an errno for a program.
 */
#ifndef FS_NODE_NODES_H
#define FS_NODE_NODES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "fs/node/node_ops.h"

struct list_request;
struct status_piece;

/* The top of the mount, as FUSE_ROOT_ID. */
#define NODES_TOP 1

/*
 * False: no node has an xattr, or no file has a hole, whatever is loaded later. True may
 * become false.
 */
bool nodes_may_have_xattrs(const struct nodes *n);
bool nodes_may_have_holes(const struct nodes *n);

/* 0, -EIO, -ENOMEM, -ESTALE. Never waits for the layers of image 0 or for a root. */
int nodes_describe(const struct nodes *n, uint64_t node, struct waiter *w,
		   struct item *out);
/* The same of a file that is being read: its size is known, for which this may wait. */
int nodes_measure(const struct nodes *n, uint64_t node, struct waiter *w,
		  struct item *out);
/*
 * Also -ENOENT (@out then says for how long), -ENOTDIR, -ENAMETOOLONG. "." is the node itself,
 * a file too, and ".." the directory around a directory.
 */
int nodes_lookup(const struct nodes *n, uint64_t parent, const char *name,
		 struct waiter *w, struct item *out);

/* The names of a directory, with "." and "..", after @cookie (0: from the start). */
int nodes_list_open(const struct nodes *n, uint64_t node, uint64_t cookie,
		    struct waiter *w, struct node_list **out);
/* 1 and a name (borrowed until the next call), 0 at the end, or a failure. */
int nodes_list_next(struct node_list *l, const char **name, struct item *out,
		    uint64_t *cookie);
/* NULL is fine. */
void nodes_list_close(struct node_list *l);

/* Into @buf of @size bytes, with a NUL. -ENAMETOOLONG; -EINVAL: not a symlink. */
int nodes_readlink(const struct nodes *n, uint64_t node, char *buf, size_t size,
		   struct waiter *w);
/* The number of bytes, 0 at the end. -EISDIR. */
ssize_t nodes_read(const struct nodes *n, uint64_t node, void *buf, size_t size,
		   uint64_t off, struct waiter *w);
/* SEEK_DATA and SEEK_HOLE of lseek(2). -ENXIO, -EINVAL. */
off_t nodes_seek(const struct nodes *n, uint64_t node, off_t off, int whence,
		 struct waiter *w);
/* As node_ops.stored_size(): what can be read without waiting. Negative for other nodes. */
ssize_t nodes_stored_size(const struct nodes *n, uint64_t node, size_t max,
			  struct waiter *w);

/*
 * As getxattr(2) and listxattr(2): the length; -ENODATA, but -EOPNOTSUPP for a label of
 * SELinux; -ERANGE if @size is not 0 and too small.
 */
ssize_t nodes_getxattr(const struct nodes *n, uint64_t node, const char *name, void *buf,
		       size_t size, struct waiter *w);
ssize_t nodes_listxattr(const struct nodes *n, uint64_t node, char *buf, size_t size,
			struct waiter *w);

/*
 * The status of the mount, from its top: status_read_piece(). Never waits. -ENOTTY: @node is
 * not the top.
 */
int nodes_status(const struct nodes *n, uint64_t node, struct status_piece *p);
/*
 * Changes the list of images and fills in the result, which may be a failure: that is 0, too.
 * -EINTR; -ENOTTY: @node is not the top, or the mount has no list; -EINVAL: no such action.
 */
int nodes_change_list(const struct nodes *n, uint64_t node, struct list_request *p,
		      struct waiter *w);

#endif
