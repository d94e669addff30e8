/* SPDX-License-Identifier: MIT */
/*
 * The layers of a mount. Each has a slot, for ever: a number that the nodes of its files
 * are made of, whatever images have it. What is behind the slot, the index and the
 * bytes, is opened when it is needed and closed when nobody has used it for long; the
 * kernel may come back with any node at any time.
 */
#ifndef FS_IMAGE_LAYERS_H
#define FS_IMAGE_LAYERS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "fs/image/lazy.h"
#include "fs/image/table.h"
#include "registry/image/image.h"

struct layer;
struct layer_progress;
struct mount;
struct image_source;
struct waiter;

/* The annotation by which a layer says that it is eStargz. */
#define ESTARGZ_KEY "containerd.io/snapshot/stargz/toc.digest"

/* Names that links from other layers add to an inode. */
struct extra {
	uint32_t inode;
	uint32_t n;
};

struct mount_layer {
	struct lazy lazy;
	uint32_t slot;
	uint64_t image; /* as in layers_find() */
	uint64_t seed;	/* node_seed(), and of the image */
	struct descriptor descriptor;
	bool is_file; /* no layer but a blob of an artifact: never opened */
	struct image_source
		*image_source; /* under the holds' lock: mount_layer_source() */
	uint32_t next;	       /* slot + 1 of the next in the bucket, or 0 */

	/* While it is pinned: */
	struct layer *layer; /* NULL if there are no bytes for it */
	int loaded;	     /* 0, or why it is broken */
	struct err *why;     /* of a broken one */

	struct lazy raw_blob; /* copies.c's: of its compressed bytes */
	int raw_blob_fd;      /* while that is pinned; -1: they do not have the digest */

	/* For ever: */
	unsigned said;	 /* atomic: the errnos logged, a bit each */
	uint64_t errors; /* atomic */
	/* under the extra lock: in order of inodes */
	struct extra *extras;
	uint32_t n_extras; /* atomic */
};

struct layer_sums {
	uint64_t fetched; /* compressed bytes */
	uint64_t decoded;
	uint64_t hits;	 /* indexes that were in the store */
	uint64_t errors; /* of layers, the broken ones counted */
};

#define LAYER_BUCKETS 4096

struct layers {
	struct table table;
	struct lazy_set set; /* its lock guards the table and the buckets, too */
	uint32_t buckets[LAYER_BUCKETS]; /* by digest: slot + 1 */
	struct layer_sums closed;	 /* under the holds' lock */
	unsigned n_threads;		 /* atomic: that load the layers of images */
	pthread_mutex_t extra_lock;
};

void layers_init(struct layers *ls);
/* No call may be under way, and no image loaded. */
void layers_release(struct layers *ls);

/*
 * The slot of a layer as a descriptor has it: two that tell of different tables of
 * contents are different layers, for who trusts the one need not trust the other.
 * @is_file: it is no layer but a file. @image: 0, or a number of the one image that it is
 * a layer of: other images have slots of their own for it, and other inode numbers.
 * @origin has its bytes and stays. 0, -ENOMEM, -ENOSPC.
 */
int layers_find(struct mount *m, const struct descriptor *d, bool is_file, uint64_t image,
		struct image_source *image_source, struct mount_layer **out);
/* NULL if there is no such slot. */
struct mount_layer *layers_get(struct mount *m, uint32_t slot);

/*
 * Pins a layer, opened and with its index, until mount_layer_unpin(): made in this thread, or
 * waited for. 0, also for one that is broken for good (l->loaded); else why it cannot be
 * had now, @e the sentence if that was found out just now.
 */
int mount_layer_open(struct mount *m, struct mount_layer *l, struct err *e);
/*
 * The same for a request: made in another thread, so that the wait can be ended. Errnos to
 * be seen.
 */
int mount_layer_pin(struct mount *m, struct mount_layer *l, struct waiter *w);
void mount_layer_unpin(struct mount_layer *l);

/* Who has its bytes. Pinned or not; stays. */
struct image_source *mount_layer_source(struct mount *m, const struct mount_layer *l);
/* Has @work done in a thread, as images_thread() gives one. 0 or negative errno. */
int mount_layer_thread(struct mount *m, struct mount_layer *l,
		       void (*work)(struct mount *m, struct mount_layer *l));

/* Does nothing that is tried again mend it? */
bool mount_layer_is_bad(int code);
/* Why it is broken, or "". Pinned. */
const char *mount_layer_why(const struct mount_layer *l);

/* Of a layer, at any time, also one without bytes or closed. */
void mount_layer_progress(struct mount *m, const struct mount_layer *l,
			  struct layer_progress *out);

/* Over all layers, the closed ones too. */
void layers_sum(struct mount *m, struct layer_sums *out);

/* Closes what was not used for @seconds, and of more than @max the oldest. True: some. */
bool layers_close_unused(struct mount *m, uint32_t seconds, size_t max);

/*
 * A file's nlink is that of its layer and of what links of other layers add. The inode is
 * one for all images of the mount, and its nlink is kept by the kernel: so it is as many
 * as any image has names for it. A file with too many names does no harm: the others
 * might be anywhere; one with too few would be copied twice.
 */
void mount_layer_note_extra(struct mount *m, struct mount_layer *l, uint32_t inode,
			    uint32_t n);
uint32_t mount_layer_extra(struct mount *m, struct mount_layer *l, uint32_t inode);

#endif
