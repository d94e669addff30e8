/* SPDX-License-Identifier: MIT */
/*
 * A mount: the image that is shown, its layers, and where their bytes come from.
 *
 *	mount_open()	the store and the origin; asks no network
 *	mount_load()	resolves the image, gets the index of every layer, merges
 *	...		served: from here on everything but counters is read-only
 *	mount_close()
 *
 * mount_load() takes long; it runs in a thread of its own, and other threads may
 * look at the progress meanwhile.
 */
#ifndef FS_MOUNT_H
#define FS_MOUNT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "fs/waiters.h"
#include "registry/image.h"

struct blobs;
struct layer;
struct layer_progress;
struct log;
struct merge;
struct options;
struct client;
struct origin;
struct store;

/* A layer, once, however often the image has it. Its place in the table is its slot. */
struct mount_layer {
	struct layer *layer;		     /* NULL if there are no bytes for it */
	const struct descriptor *descriptor; /* borrowed from the image */
	uint64_t seed;			     /* node_seed() */
	unsigned said;			     /* atomic: the errnos logged, a bit each */
	uint64_t errors;		     /* atomic */
	int loaded;			     /* 0, or why it is broken */
	struct err why;
};

/* A text made of the image. */
struct text {
	char *data;
	size_t len;
	int failed;
};

/* An image as it is shown. */
struct view {
	struct image *image;
	uint32_t *slots;     /* of image->layers */
	struct merge *merge; /* NULL if a layer is broken: then rootfs/ answers EIO */
	uint32_t n_broken;
	struct text **texts; /* synthetic.c's: by row and parameter */
	char **titles;	     /* of an artifact: the names of its blobs */
};

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
	struct origin *origin;
	const char *mountpoint; /* absolute, borrowed; NULL: it is shown nowhere */
	uid_t uid;		/* who mounts, and owns what is ours */
	gid_t gid;

	pthread_mutex_t lock; /* until loaded: guards what mount_progress() looks at */
	struct mount_layer *layers;
	size_t n_layers;
	struct view view;
	bool is_loaded;
	bool cancelled; /* atomic */

	bool has_xattrs; /* any layer */
	bool has_sparse;
	uint64_t content_size; /* sum over the layers */
	uint64_t n_entries;

	/* atomic: as of a layer, for what no layer can be blamed for */
	unsigned said;
	uint64_t errors; /* atomic */
	struct waiters waiters;
	struct blobs *blobs; /* of the layers, for oci/; by slot */
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
/* Ends mount_load() early. Any thread. */
void mount_cancel(struct mount *m);

/* How far a layer is, also one without bytes. */
void mount_layer_progress(const struct mount_layer *l, struct layer_progress *out);

/* Of all layers, for a person who waits. */
struct mount_progress {
	bool is_resolved; /* else the numbers mean nothing yet */
	uint64_t bytes;	  /* compressed, gone through */
	uint64_t size;	  /* compressed, in all */
	size_t layers;	  /* done */
	size_t n_layers;
};

void mount_progress(struct mount *m, struct mount_progress *out);

/* The layer in a slot, or NULL. */
struct mount_layer *mount_slot(struct mount *m, uint32_t slot);

/*
 * Counts a failure to read and logs the sentence @why, once for a layer (NULL: none
 * in particular) and errno. Gives the (negative) errno that a program shall see.
 */
int mount_failed(struct mount *m, struct mount_layer *l, int code, const char *why);

static inline void mount_count(struct mount *m, enum mount_op op)
{
	__atomic_add_fetch(&m->ops[op], 1, __ATOMIC_RELAXED);
}

#endif
