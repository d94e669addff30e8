/* SPDX-License-Identifier: MIT */
/*
 * The texts that are made of an image when it is loaded, and the names of what has none of
 * its own. Three kinds tell sizes that only the index of a layer knows. They are made twice:
 * at first without the sizes, and again once all layers are open. What is made does not
 * change until texts_release().
 */
#ifndef FS_IMAGE_TEXTS_H
#define FS_IMAGE_TEXTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fs/text/blob_names.h"

struct image;
struct image_facts;
struct mount_layer;

enum text_kind {
	TEXT_INSPECT,
	TEXT_HISTORY,
	TEXT_DOCKERFILE,
	TEXT_LAYER, /* one for each layer */
	TEXT_OCI_LAYOUT,
	TEXT_OCI_INDEX,
	N_TEXTS,
};

struct text {
	char *data;
	size_t len;
	int failed; /* 0, or why there is no data: -E2BIG */
};

struct texts {
	struct text *list[N_TEXTS];
	struct text
		*measured[N_TEXTS]; /* of kinds that tell sizes, once they are known */
	uint32_t n[N_TEXTS];
	struct blob_names blob_names; /* of an artifact */
	char **platform_names;	      /* in platforms/ */
	size_t n_platforms;
};

/*
 * Of the image of @facts, whose layers and history are filled in here. @n_platforms: the
 * images of its index that need a name. 0, -ENOMEM, -EBADMSG. Release @t in any case.
 */
int texts_make(struct texts *t, struct image_facts *facts, size_t n_platforms);
/*
 * Makes t->measured. @layers: pinned, as the image has them. Another thread may read the
 * other texts meanwhile. As texts_make().
 */
int texts_measure(struct texts *t, struct image_facts *facts,
		  struct mount_layer *const *layers);
/* Frees t->measured. */
void texts_unmeasure(struct texts *t);
/* Does the kind tell sizes of layers? */
bool texts_has_sizes(enum text_kind kind);
/* All zero afterwards, as before texts_make(). */
void texts_release(struct texts *t);

#endif
