/* SPDX-License-Identifier: MIT */
/*
 * One state of the lists of an image store: images.json and layers.json, as containers/storage
 * reads them, and the text of both lock files, by which it notices that they have changed. That
 * text is a digest of both lists, so it is the same in each mount that shows the same.
 */
#ifndef FS_IMAGESTORE_EDITION_H
#define FS_IMAGESTORE_EDITION_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/buf.h"

struct stored_image;
struct view;

/* containers/storage compares that many bytes of a lock file. */
#define EDITION_GENERATION_SIZE 64

/* An image that is listed. */
struct edition_image {
	const struct stored_image *image;
	struct view *view;  /* the caller's */
	char *const *names; /* full references */
	size_t n_names;
};

struct edition {
	uint32_t number;      /* the caller's */
	struct timespec time; /* the same */
	struct buf images;
	struct buf layers;
	char generation[EDITION_GENERATION_SIZE + 1];
};

/*
 * Names that an earlier image has are left out. An image may be listed several times: its
 * names are joined. 0, -ENOMEM, -E2BIG. Release @ed in any case.
 */
int edition_make(struct edition *ed, const struct edition_image *list, size_t n);
void edition_release(struct edition *ed);

#endif
