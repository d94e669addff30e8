/* SPDX-License-Identifier: MIT */
/*
 * A mount: images, their layers, and where their bytes come from.
 *
 *	mount_open()	the store and the origin; asks no network
 *	mount_load()	the image that is mounted: resolved, the index of every layer got,
 *			merged
 *	...		served
 *	mount_close()
 *
 * mount_load() takes long; it runs in a thread of its own, and other threads may
 * look at the progress meanwhile.
 *
 * Any number of images may be in a mount: those that an index has beside the one that
 * is mounted, say. They are loaded when they are first needed and given back when
 * nobody has used them for long; layers.h and images.h. Image 0 is the one that is
 * mounted and stays.
 */
#ifndef FS_IMAGE_CONTEXT_H
#define FS_IMAGE_CONTEXT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "fs/image/lazy.h"
#include "fs/image/images.h"
#include "fs/image/layers.h"
#include "fs/image/table.h"
#include "fs/image/waiters.h"
#include "registry/image/image.h"

struct client;
struct log;
struct namespace;
struct options;
struct image_source;
struct store;

/* What the kernel asks for, counted. */
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
	N_OPS,
};

/* Texts of .peelfs/status.json that may still be read: each lookup makes one. */
#define N_SNAPSHOTS 32

struct snapshot {
	uint32_t number;
	char *text;
	size_t len;
};

struct mount {
	const struct options *options;
	struct log *log;
	struct store *store;
	struct client *client;
	struct image_source *image_source; /* of image 0 */
	struct namespace
		*namespace;	/* NULL: image 0 is what is mounted; else there is none */
	const char *mountpoint; /* absolute, borrowed; NULL: it is shown nowhere */
	uid_t uid;		/* who mounts, and owns what is ours */
	gid_t gid;

	struct layers layers;
	struct lazy_set referrers;   /* lists of them, which are never given back */
	struct lazy_set index_blobs; /* the same */
	struct lazy_set raw_blobs;   /* of layers' blobs */
	struct images images;
	struct view *view; /* image 0; pinned from when it is loaded */
	bool is_loaded;
	bool cancelled; /* atomic: whatever is being loaded ends early */

	/*
	 * The kernel is told only once that there are none. Of images that are not loaded
	 * yet nobody can know.
	 */
	bool has_xattrs;
	bool has_sparse;

	/* atomic: as of a layer, for what no layer can be blamed for */
	unsigned said;
	uint64_t errors; /* atomic */
	struct waiters waiters;
	uint64_t ops[N_OPS]; /* atomic */

	pthread_mutex_t snapshot_lock;
	struct snapshot snapshots[N_SNAPSHOTS]; /* under snapshot_lock */
	uint32_t n_snapshots;			/* under snapshot_lock: made so far */
};

/* Release with mount_close() in any case. */
int mount_open(struct mount *m, const struct options *options, struct log *log,
	       struct err *e);
void mount_close(struct mount *m);

/*
 * 0, also when layers are broken and the layout can show that; the sentences about
 * them are logged. -EINTR after mount_cancel(), else a negative errno and why.
 */
int mount_load(struct mount *m, struct err *e);
/* Ends mount_load(), and the loading of other images, early. Any thread. */
void mount_cancel(struct mount *m);

/* Of image 0, for a person who waits. */
struct mount_progress {
	bool is_resolved; /* else the numbers mean nothing yet */
	uint64_t bytes;	  /* compressed, gone through */
	uint64_t size;	  /* compressed, in all */
	size_t layers;	  /* done */
	size_t n_layers;
};

void mount_progress(struct mount *m, struct mount_progress *out);

/*
 * Counts a failure to read and logs the sentence @why, once for a layer (NULL: none
 * in particular) and errno. Gives the (negative) errno that a program shall see.
 */
int mount_failed(struct mount *m, struct mount_layer *l, int code, const char *why);
/* The errno that a program shall see: -EINTR, -ENOMEM and -EACCES as they are, else -EIO. */
int mount_errno(int code);

static inline void mount_count(struct mount *m, enum mount_op op)
{
	__atomic_add_fetch(&m->ops[op], 1, __ATOMIC_RELAXED);
}

#endif
