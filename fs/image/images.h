/* SPDX-License-Identifier: MIT */
/*
 * The images of a mount. Each has a number, for ever: nodes are made of it. What is
 * behind it is loaded when something in the image is first asked for, and given back
 * when nobody has used it for long.
 */
#ifndef FS_IMAGE_IMAGES_H
#define FS_IMAGE_IMAGES_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "fs/image/lazy.h"
#include "fs/image/referrers.h"
#include "fs/tree/node.h"
#include "fs/image/index_blobs.h"
#include "fs/image/table.h"
#include "registry/image/image.h"

struct err;
struct merge;
struct mount;
struct mount_layer;
struct image_source;
struct waiter;

/* A text made of the image. */
struct text {
	char *data;
	size_t len;
	int failed;
};

/* An image as it is shown. */
struct view {
	struct lazy lazy;
	struct mount *mount;
	uint32_t number;

	/* What it is: what image_source_resolve() finds, or the entry of the index there. */
	struct image_source *image_source; /* has the blobs; borrowed */
	char *source; /* a reference to open it by; NULL: the origin is its own */
	bool is_entry;
	bool is_referrer; /* then its layers, too, are shown as blobs */
	struct descriptor entry;
	/* How it is seen from outside: */
	struct digest digest; /* what its top is numbered by; of no entry: none */
	int64_t created;      /* what the time of its top is */
	uint64_t around;      /* the node of the directory around it; 0: it is the top */
	char *path;	      /* below the mount point: "", or "/platforms/linux-arm64" */
	uint32_t *
		platforms; /* numbers of image->platforms, 0 if it has none yet; atomic */
	struct referrers referrers;
	struct index_blobs index_blobs;

	/* While it is pinned: */
	struct image *image;
	struct mount_layer **layers; /* of image->layers, pinned */
	struct mount_layer **own;    /* each of them once */
	size_t n_own;
	bool is_pinned;	     /* the layers are */
	struct merge *merge; /* NULL if a layer is broken: then rootfs/ answers EIO */
	uint32_t n_broken;
	struct text **texts;   /* synthetic.c's: by row and parameter */
	char **titles;	       /* of an artifact: the names of its blobs */
	char **platform_names; /* in platforms/ */
	uint64_t content_size; /* sum over the layers */
	uint64_t n_entries;
};

struct images {
	struct table table;
	struct lazy_set set; /* its lock guards the table, too */
	unsigned n_makers;   /* under the holds' lock: threads that load something */
	bool is_closing;     /* under the holds' lock */
	pthread_t keeper;
	bool has_keeper;
};

void images_init(struct images *is);
/* Ends what is being loaded, gives back everything. */
void images_close(struct mount *m);
void images_release(struct images *is);

/* What a new view is; copied. @path is taken. 0, -ENOMEM, -ENOSPC. */
int images_add(struct mount *m, const struct view *what, struct view **out);
/* NULL if there is no such image. */
struct view *images_find(struct mount *m, uint32_t number);

/*
 * Pins an image, loaded, until view_unpin(). What is not loaded is loaded by another
 * thread, so that the wait can be ended: -EINTR. Errnos to be seen.
 */
int view_pin(struct view *v, struct waiter *w);
void view_unpin(struct view *v);

/*
 * What an image asks of the network once and keeps for ever, as @h of @hs stands for it:
 * done by @ask in another thread, so that the wait can be ended, and waited for by all
 * others. @v is pinned. 0, -EINTR, or why it cannot be had now. Errnos to be seen.
 */
int view_ask(struct view *v, struct lazy_set *hs, struct lazy *h,
	     int (*ask)(struct view *v), struct waiter *w);

/* An image that is seen inside another; lent. */
struct inner {
	const struct descriptor *descriptor;
	bool is_referrer;
	struct node around; /* the directory it is in */
	const char *path;   /* below the image around it */
};

/*
 * It, as an image of the mount: made at first, and known by *number (atomic, 0 at first)
 * from then on. @v is pinned.
 */
int view_inner(struct view *v, const struct inner *inner, uint32_t *number,
	       struct view **out);
/* Image @i of image->platforms. @v is pinned. */
int view_platform(struct view *v, size_t i, struct view **out);

/* Over what is loaded. */
void images_totals(struct mount *m, uint64_t *bytes, uint64_t *files, size_t *n);

/*
 * A thread that images_close() waits for; -ECANCELED if that was called. From the first on,
 * what is unused for long is given back: images, layers, copies.
 */
int images_thread(struct mount *m, void *(*fn)(void *arg), void *arg);
void images_thread_ends(struct mount *m);

/* load.c: the image, or that of another entry of its index. */
int view_resolve(const struct view *v, const struct descriptor *entry, struct image **out,
		 struct err *e);
/* load.c: image_source_document() of the image's repository. */
int view_document(const struct view *v, const struct descriptor *d, struct buf *out,
		  struct err *e);
/* load.c: what view_pin() is made of. The sentence says what failed. */
int view_load(struct view *v, struct err *e);
/* Also by halves. */
void view_unload(struct view *v);

#endif
