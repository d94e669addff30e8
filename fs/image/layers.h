/* SPDX-License-Identifier: MIT */
/*
 * The layers of a mount. A layer gets a number, which is never reused, because node ids
 * encode it; all images that have the layer share it. Index and bytes are opened when they
 * are needed and closed when idle; the kernel may come back with any node at any time.
 *
 * All calls but init and release: any thread.
 */
#ifndef FS_IMAGE_LAYERS_H
#define FS_IMAGE_LAYERS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "fs/image/context.h"
#include "fs/image/lazy.h"
#include "fs/image/table.h"
#include "registry/image/image.h"

struct erofs_image;
struct image_source;
struct layer;
struct layer_progress;
struct layers;
struct waiter;
struct workers;

/* The annotation of eStargz layers. */
#define ESTARGZ_KEY "containerd.io/snapshot/stargz/toc.digest"

/* Names that links from other layers add to an inode. */
struct extra {
	uint32_t inode;
	uint32_t n;
};

struct mount_layer {
	struct lazy lazy;
	struct layers *layers;
	uint32_t number;
	uint64_t image; /* as in layers_find() */
	uint64_t seed;	/* node_seed(), and of the image */
	struct descriptor descriptor;
	bool is_file; /* a blob of an artifact: never opened */
	struct image_source
		*image_source; /* under the set's lock: mount_layer_source() */
	uint32_t next;	       /* number + 1 of the next in the bucket, or 0 */

	/* While it is pinned: */
	struct layer *layer; /* NULL if its bytes are unavailable */
	int loaded;	     /* 0, or why it is broken */
	struct err *why;     /* of a broken one */

	/* Used by raw_blobs.c alone: */
	struct lazy raw_blob; /* its compressed bytes */
	int raw_blob_fd;      /* while that is pinned; -1: they do not match the digest */
	int raw_blob_state;   /* atomic: enum raw_blob_state */
	uint64_t raw_blob_done; /* atomic: how many bytes the last fetch got */

	/* Used by layer_files.c alone: */
	struct lazy file;		/* the layer as an EROFS image */
	struct erofs_image *file_image; /* while that is pinned, and: */
	struct digest diff_id;		/* computed */

	/* These stay: */
	struct failures failures;
	struct extra *extras; /* under the extra lock, ordered by inode */
	uint32_t n_extras;    /* atomic */
};

struct layer_sums {
	uint64_t fetched; /* compressed bytes */
	uint64_t decoded;
	uint64_t hits;	 /* indexes found in the store */
	uint64_t errors; /* of layers, broken ones included */
};

#define LAYER_BUCKETS 4096

struct layers {
	struct context *context;
	struct workers *workers;
	struct table table;
	struct lazy_set set; /* its lock guards the table and the buckets, too */
	uint32_t buckets[LAYER_BUCKETS]; /* by digest: number + 1 */
	struct layer_sums closed;	 /* under the set's lock */
	unsigned n_threads;		 /* atomic: threads of layers_pin() */
	pthread_mutex_t extra_lock;
	struct lazy_set raw_blobs; /* used by raw_blobs.c alone */
	struct lazy_set files;	   /* used by layer_files.c alone */
};

/* @context and @workers must outlive it. */
void layers_init(struct layers *ls, struct context *context, struct workers *workers);
/* No call may be under way, and no image loaded. */
void layers_release(struct layers *ls);

/*
 * The layer of a descriptor. Descriptors with different tables of contents are different
 * layers, because trust in the one table does not extend to the other.
 * @is_file: it is a blob of an artifact, not a layer. @image: 0, or a number of the one
 * image whose layer it is: other images get another layer for it, with other inode
 * numbers. @image_source has its bytes and must outlive the layers.
 * 0, -ENOMEM, -ENOSPC.
 */
int layers_find(struct layers *ls, const struct descriptor *d, bool is_file,
		uint64_t image, struct image_source *image_source,
		struct mount_layer **out);
/* NULL if no layer has the number. */
struct mount_layer *layers_get(struct layers *ls, uint32_t number);

/* Over all layers, closed ones included. */
void layers_sum(struct layers *ls, struct layer_sums *out);
/* Closes layers idle for @seconds, and the oldest of more than @max. True if any. */
bool layers_close_unused(struct layers *ls, uint32_t seconds, size_t max);

/*
 * Pins a layer, opened and with its index, until mount_layer_unpin(). This thread opens
 * it, or waits for the one that does. 0, also for a layer that is permanently broken
 * (l->loaded); else a negative errno and a sentence. Soon after a failure it is not tried
 * again, and these are those of that failure.
 */
int mount_layer_open(struct mount_layer *l, struct err *e);
/*
 * The same for a request: another thread opens it, so that the wait can be ended. Failures
 * are counted and logged; an errno for a program.
 */
int mount_layer_pin(struct mount_layer *l, struct waiter *w);
void mount_layer_unpin(struct mount_layer *l);

/*
 * Opens and pins all of @list, or none; the largest first, by several threads at once.
 * @fail_fast: the first failure cancels whatever the mount is loading.
 * 0, also if layers are broken; else the error of one that failed, and a sentence.
 */
int layers_pin(struct mount_layer *const *list, size_t n, bool fail_fast, struct err *e);
void layers_unpin(struct mount_layer *const *list, size_t n);

/* Where its bytes are. It need not be pinned. Borrowed. */
struct image_source *mount_layer_source(const struct mount_layer *l);

/* True for errnos that no retry mends: bad or unsupported bytes. */
bool mount_layer_is_bad(int code);
/* Why it is broken, or "". Pinned. */
const char *mount_layer_why(const struct mount_layer *l);
/* Notes why it is broken as one of the last failures, and logs that, and @then. Pinned. */
void mount_layer_log_broken(const struct mount_layer *l, const char *then);
/* context_failed() for this layer. */
int mount_layer_failed(struct mount_layer *l, const char *path, int code,
		       const char *why);

/* It need be neither pinned nor open. One that was unavailable is LAYER_WAITING again. */
void mount_layer_progress(const struct mount_layer *l, struct layer_progress *out);

/*
 * A file's nlink is that of its layer plus the links from other layers. The inode is one
 * for all images of the mount, and the kernel keeps its nlink: so it is the largest of any
 * image. Too large an nlink does no harm: the other names might be anywhere. With too
 * small an nlink archivers would copy the file twice.
 */
void mount_layer_note_extra(struct mount_layer *l, uint32_t inode, uint32_t n);
uint32_t mount_layer_extra(struct mount_layer *l, uint32_t inode);

#endif
