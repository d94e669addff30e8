/* SPDX-License-Identifier: MIT */
/* The state of the mount in numbers: .peelfs/status.json. Any thread. */
#ifndef FS_IMAGE_STATUS_H
#define FS_IMAGE_STATUS_H

#include <stdint.h>

struct buf;
struct image_source;
struct images;
struct layer_progress;
struct snapshots;
struct view;

/* Some hundred bytes for each of a thousand layers, with sentences. */
#define STATUS_MAX (4u << 20)

/*
 * Where a layer's index comes from, in a word: "store", "registry", "disk". @source has the
 * layer; NULL: a registry.
 */
const char *status_from(const struct image_source *source,
			const struct layer_progress *p);
/* Appends the JSON text about an image, which is pinned. 0, -ENOMEM, -E2BIG. */
int status_render(struct view *v, struct buf *out);
/* The same about a whole namespace. */
int status_render_all(struct images *is, struct buf *out);
/* Takes a snapshot of the text, of @v or, if that is NULL, of all. 0, -ENOMEM, -E2BIG. */
int status_snapshot(struct snapshots *ss, struct images *is, struct view *v,
		    uint32_t *number);

#endif
