/* SPDX-License-Identifier: MIT */
/*
 * An additional image store for podman, Buildah and CRI-O (layout=store): which images and
 * layers it shows, and the lists of them. Nothing here loads an image or a layer.
 *
 * All calls but new and free: any thread.
 */
#ifndef FS_IMAGESTORE_IMAGE_STORE_H
#define FS_IMAGESTORE_IMAGE_STORE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "fs/imagestore/catalog.h"
#include "fs/imagestore/edition.h"

struct context;
struct image_list;
struct image_set;
struct images;
struct mount_layer;

/* So many editions stay readable, for a reader that has opened an older one. */
#define IMAGE_STORE_EDITIONS 8

struct image_store {
	struct context *context;
	struct image_list *source;
	struct splits splits;
	/*
	 * Not shown because this process is in a user namespace: nothing in one may make a
	 * device, so an engine that finds one in a layer cannot copy it up or change its owner.
	 */
	bool hides_devices;
	pthread_mutex_t lock;
	/* All under the lock: */
	struct catalog catalog;	    /* catalog_layer() and catalog_image() need no lock */
	struct image_set *set;	    /* what is listed; NULL: nothing yet */
	struct edition_image *list; /* the same; its names are those of the set */
	size_t n_list;
	struct edition editions[IMAGE_STORE_EDITIONS]; /* by number, modulo */
	uint32_t edition; /* the newest, from 1; 0: there is none yet */
	bool is_stale;	  /* something has changed since */
};

/* @images and @source must outlive it. 0, -ENOMEM. */
int image_store_new(struct images *images, struct image_list *source,
		    struct image_store **out);
/* After images_close(). NULL is fine. */
void image_store_free(struct image_store *s);

/*
 * Layer @layer of image @image was opened, and is pinned: from now on the lists have its size,
 * or, if it is broken, leave out the images that have it.
 */
void image_store_meet(struct image_store *s, uint32_t image, uint32_t layer,
		      const struct mount_layer *l);

/* The texts of an edition. */
enum store_text { STORE_IMAGES, STORE_LAYERS, STORE_GENERATION };

/*
 * The newest edition: a new one if something has changed. Images and layers that are no longer
 * listed can still be looked up, because containers may use them. 0, -ENOMEM, -ENOSPC, -E2BIG.
 */
int image_store_edition(struct image_store *s, uint32_t *number, struct timespec *time);
/* The size of a text, and the time of its edition. -ESTALE: it is too old. */
int image_store_text(struct image_store *s, uint32_t edition, enum store_text which,
		     size_t *len, struct timespec *time);
/* As pread(2). -ESTALE. */
ssize_t image_store_read(struct image_store *s, uint32_t edition, enum store_text which,
			 void *buf, size_t size, uint64_t off);

#endif
