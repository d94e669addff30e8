/* SPDX-License-Identifier: MIT */
/*
 * A request of the kernel that may have to wait. libfuse's worker tries each with an impatient
 * waiter. If that fails with -EINTR, the request would have to wait: it is copied, and another
 * thread does the work again (deferred.h).
 */
#ifndef FS_FUSE_REQUEST_H
#define FS_FUSE_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "fs/fuse/deferred.h"
#include "fs/image/context.h"

struct fuse_req;
struct served;

struct request {
	struct deferred deferred;
	struct fuse_req *req;
	struct served *served; /* set by request_serve(), as is the waiter */
	/* Does the work and replies: 0. Or returns what request_fail() does. */
	int (*work)(struct request *r);
	struct waiter waiter;
	uint64_t node;
	const char *name; /* NULL: it has none; a copy, once it is deferred */
	size_t size;
	off_t off;
	int whence;   /* of lseek(2) */
	bool plus;    /* readdirplus: attributes with each name */
	bool is_open; /* getattr of an open file */
};

/* Counts the request and does its work, here or in another thread. @r may be on the stack. */
void request_serve(struct request *r, enum mount_op op);

/*
 * For r->work, whose operation failed with @code. 0: the error was replied. -EINTR: there was
 * no reply, because the operation would have to wait; r->work is called again where it may.
 */
int request_fail(const struct request *r, ssize_t code);

#endif
