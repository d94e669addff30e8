/* SPDX-License-Identifier: MIT */
/*
 * The build steps of an image (image-spec config.md, "history") and the layer that each
 * of them made.
 */
#ifndef FS_TEXT_HISTORY_H
#define FS_TEXT_HISTORY_H

#include <stddef.h>
#include <stdint.h>

struct buf;
struct image;
struct image_facts;
struct json;

/* The step made no layer, or its layer is not known. */
#define NO_LAYER SIZE_MAX

/* Far more than any build has. A row of the table is longer than its step in the config. */
#define STEPS_MAX (1u << 17)

/* Borrowed from the config. The texts are never NULL. */
struct step {
	const char *created;
	const char *created_by;
	const char *comment;
	const struct json *json; /* NULL where the config has no history */
	size_t layer;		 /* from 0, or NO_LAYER */
};

struct history {
	struct json *config; /* the image's config, parsed */
	struct step *steps;  /* oldest first */
	size_t n;
	size_t n_left_out; /* older steps, above STEPS_MAX */
};

/*
 * Parses the config of @img. Of more than STEPS_MAX steps the last ones are given. A config
 * without a history gives one empty step for each layer. If the steps that make a layer are not as
 * many as the layers, all steps have NO_LAYER. 0, -ENOMEM, -EBADMSG; call
 * history_release() in any case.
 */
int history_init(struct history *h, const struct image *img);
void history_release(struct history *h);

/* The step that made layer @i, counted from 0, or NULL. */
const struct step *history_of_layer(const struct history *h, size_t i);

/*
 * Appends what `docker history --no-trunc --human=false` prints, with one more column, the
 * layer that the step made. 0, -ENOMEM, -E2BIG.
 */
int history_render(const struct image_facts *f, struct buf *out);

#endif
