/* SPDX-License-Identifier: MIT */
/*
 * The images of a mount. An image gets a number, which is never reused, because node ids
 * encode it. It is loaded in the steps of view.h when something in it is first used, and
 * unloaded when it is idle; unloaded it costs some hundred bytes. Image 0 is the mounted
 * one: its first step is done before anything is served, and what is loaded of it stays. In
 * the mount of a namespace it is never loaded.
 *
 * All calls, unless they say otherwise: any thread.
 */
#ifndef FS_IMAGE_IMAGES_H
#define FS_IMAGE_IMAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fs/image/lazy.h"
#include "fs/image/table.h"
#include "fs/image/view.h"
#include "fs/tree/node.h"

struct bar_state;
struct image_list;
struct waiter;
struct workers;

struct images {
	struct context *context;
	struct layers *layers;
	struct workers *workers;
	struct table table;
	struct lazy_set set;	 /* the loaded ones; its lock guards the table, too */
	struct lazy_set lists;	 /* of referrers and of an index; they stay */
	struct lazy_set steps;	 /* of the loaded images; unloaded with them */
	size_t layers_max;	 /* how many unused layers stay open */
	struct image_list *list; /* what engines see of the mount; or NULL; borrowed */
	struct view *first;	 /* image 0; NULL before images_open_first() */
	struct image_source *image_source; /* of image 0 */
	bool is_first_loaded;
};

/* All of the mount; they must outlive it. The workers' tidying is set. */
void images_init(struct images *is, struct context *c, struct layers *ls,
		 struct workers *ws);
/*
 * Adds image 0, which @source names; NULL: a namespace has none. Once. 0, or a negative errno
 * and a sentence.
 */
int images_open_first(struct images *is, const char *source, struct err *e);
/*
 * Loads manifest and config of image 0, and its tree if the store has all indexes. This may
 * take long: another thread may look at view_progress() or call context_cancel().
 * 0; -EINTR after context_cancel(); else a negative errno and a sentence.
 */
int images_load_first(struct images *is, struct err *e);
/*
 * Waits until the tree of image 0 is loaded, after images_load_first(). 0, also if layers
 * are broken (they are logged). The first layer that is unavailable ends all loading of the
 * mount. Else as images_load_first().
 */
int images_load_first_tree(struct images *is, struct err *e);
/* Cancels what is being loaded, ends the workers, unloads everything. One thread. */
void images_close(struct images *is);
/* After images_close(), or if nothing was used. */
void images_release(struct images *is);

/* How far the layers of an image are, but not what was fetched. It is pinned, or image 0. */
void view_progress(const struct view *v, struct bar_state *out);
/* Sums over the loaded images. */
void images_totals(struct images *is, uint64_t *bytes, uint64_t *files, size_t *n);

/*
 * Adds an image: a copy of @what, whose path, source and entry it takes on success. Borrowed
 * until images_release(). 0, -ENOMEM, -ENOSPC.
 */
int images_add(struct images *is, const struct view *what, struct view **out);
/* NULL if no image has the number. */
struct view *images_find(struct images *is, uint32_t number);

/*
 * Pins an image, loaded, until view_unpin(). Another thread loads it, so that the wait can
 * be ended with -EINTR. Failures are counted and logged; an errno for a program.
 */
int view_pin(struct view *v, struct waiter *w);
void view_unpin(struct view *v);

/*
 * For these the image is pinned. Another thread does the work, so that the wait can be
 * ended. As view_pin().
 */

/* Loads the steps of view.h up to this one, unless they are. */
int view_need_layers(struct view *v, struct waiter *w);
int view_need_tree(struct view *v, struct waiter *w);
/* Makes rootfs.erofs of the tree, unless it is. -EIO: a layer is broken. */
int view_need_erofs(struct view *v, struct waiter *w);
/* Makes the EROFS images of its layers, unless they are: view_files(). */
int view_need_files(struct view *v, struct waiter *w);
/* Fetches the list of referrers, or of blobs of the index, unless it is known. */
int view_need_referrers(struct view *v, struct waiter *w);
int view_need_index_blobs(struct view *v, struct waiter *w);

/* An image that is shown inside another. Borrowed. */
struct inner {
	const struct descriptor *descriptor;
	bool is_referrer;
	struct node around; /* the directory that has it */
	const char *path;   /* below the outer image */
};

/*
 * The image itself, which is added the first time; *number (atomic, 0 before) remembers
 * it. 0, -ENOMEM, -ENOSPC.
 */
int view_inner(struct view *v, const struct inner *inner, uint32_t *number,
	       struct view **out);

#endif
