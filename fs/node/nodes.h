/* SPDX-License-Identifier: MIT */
/*
 * Everything that can be seen in the mount, by node: the merged tree and the
 * documents around it. What ops.c has to know; nothing here knows FUSE.
 *
 * All calls: any thread, once the mount is loaded. What a node is of may have to be
 * loaded first: the waiter (NULL: a wait that nobody ends) lets the wait be ended, with
 * -EINTR. Failures are negative errnos that a program may see.
 */
#ifndef FS_NODE_NODES_H
#define FS_NODE_NODES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

struct mount;
struct waiter;

/* The top of the mount, as FUSE_ROOT_ID. */
#define NODES_TOP 1

struct item {
	uint64_t node;
	struct stat attr;
	bool is_live; /* its name leads to another node next time */
	bool expires; /* name and attributes hold for so many */
	uint32_t seconds;
};

/* 0, -ENOENT, -EIO, -ENOMEM, -ESTALE. */
int nodes_describe(struct mount *m, uint64_t node, struct waiter *w, struct item *out);
int nodes_lookup(struct mount *m, uint64_t parent, const char *name, struct waiter *w,
		 struct item *out);

/* A directory's names, with "." and "..", after @cookie (0: from the start). */
struct nodes_list;

int nodes_list_open(struct mount *m, uint64_t node, uint64_t cookie, struct waiter *w,
		    struct nodes_list **out);
/* 1 with a name (lent until the next call), 0 at the end, negative. */
int nodes_list_next(struct nodes_list *l, const char **name, struct item *out,
		    uint64_t *cookie);
void nodes_list_close(struct nodes_list *l);

/* Into @buf of @size bytes, with a NUL; -ENAMETOOLONG, -EINVAL for what is no symlink. */
int nodes_readlink(struct mount *m, uint64_t node, char *buf, size_t size,
		   struct waiter *w);
/* Bytes read, 0 at the end. */
ssize_t nodes_read(struct mount *m, uint64_t node, void *buf, size_t size, uint64_t off,
		   struct waiter *w);
off_t nodes_seek(struct mount *m, uint64_t node, off_t off, int whence, struct waiter *w);

/*
 * As getxattr(2) and listxattr(2): the length, -ENODATA (-EOPNOTSUPP for a label of
 * SELinux), -ERANGE if @size is not 0 and too small.
 */
ssize_t nodes_getxattr(struct mount *m, uint64_t node, const char *name, void *buf,
		       size_t size, struct waiter *w);
ssize_t nodes_listxattr(struct mount *m, uint64_t node, char *buf, size_t size,
			struct waiter *w);

#endif
