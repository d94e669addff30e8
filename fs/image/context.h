/* SPDX-License-Identifier: MIT */
/*
 * What all parts of a mount share: options, log, store, registry client, the requests
 * that wait, and counters. It knows of no layer and no image.
 *
 * Calls other than open and close: any thread.
 */
#ifndef FS_IMAGE_CONTEXT_H
#define FS_IMAGE_CONTEXT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "fs/image/waiters.h"
#include "registry/image/archive_helper.h"

struct client;
struct log;
struct options;
struct store;

/* The requests of the kernel that are counted. */
enum mount_op {
	OP_LOOKUP,
	OP_GETATTR,
	OP_READLINK,
	OP_OPEN,
	OP_OPENDIR,
	OP_READ,
	OP_READDIR,
	OP_READDIRPLUS,
	OP_GETXATTR,
	OP_LISTXATTR,
	OP_STATFS,
	OP_LSEEK,
	OP_IOCTL,
	N_OPS,
};

/* Failures of one cause, a layer for example. */
struct failures {
	unsigned logged; /* atomic: a bit for each errno whose sentence was logged */
	uint64_t n;	 /* atomic */
};

/* A failure that a program saw as an errno, for the status. */
struct failure {
	int64_t time; /* seconds since 1970 */
	char path
		[256]; /* the end of where it was seen, in the mount or in a layer; or "" */
	char why[ERR_TEXT_MAX];
};

#define N_LAST_FAILURES 8

struct context {
	const struct options *options;
	struct log *log;
	struct store *store;
	struct client *client;
	struct archive_helper archive_helper;
	uint64_t archive_read;	/* atomic: bytes that were read of an archive on disk */
	const char *mountpoint; /* absolute, borrowed; NULL: nothing is mounted */
	uid_t uid;		/* the owner of files that come from no layer */
	gid_t gid;
	bool is_cancelled;	  /* atomic; its address is given to loading calls */
	struct failures failures; /* those that belong to no layer */
	struct waiters waiters;
	uint64_t ops[N_OPS]; /* atomic */
	pthread_mutex_t lock;
	struct failure last[N_LAST_FAILURES]; /* under lock: the newest at the end */
	size_t n_last;			      /* under lock */
};

/*
 * Opens the store and the client; no network. @options, @log and @mountpoint are borrowed
 * until context_close(), which is to be called in any case.
 */
int context_open(struct context *c, const struct options *options, struct log *log,
		 const char *mountpoint, struct err *e);
/* All layers and images must be released. */
void context_close(struct context *c);

/* Whatever is being loaded ends early, with -EINTR. */
void context_cancel(struct context *c);
/* The same, and every transfer ends: the network is not needed any more. */
void context_end(struct context *c);
bool context_is_cancelled(const struct context *c);

/* Adds a failure to the last ones; the same again replaces the older one. */
void context_note(struct context *c, const char *path, const char *why);
/*
 * Counts a failure in @f (NULL: c->failures), notes it, and logs the sentence @why, once for
 * each errno. None of it is done for -EINTR and -ENOMEM. Returns context_errno(code).
 */
int context_failed(struct context *c, struct failures *f, const char *path, int code,
		   const char *why);
/* The errno that a program sees: -EINTR, -ENOMEM and -EACCES as they are, else -EIO. */
int context_errno(int code);

static inline void context_count(struct context *c, enum mount_op op)
{
	__atomic_add_fetch(&c->ops[op], 1, __ATOMIC_RELAXED);
}

#endif
