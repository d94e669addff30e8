/* SPDX-License-Identifier: MIT */
/* The mount in numbers: what .peelfs/status.json says. */
#ifndef FS_IMAGE_STATUS_H
#define FS_IMAGE_STATUS_H

struct buf;
struct layer_progress;
struct mount;
struct view;

/* Some hundred bytes for each of a thousand layers, with sentences. */
#define STATUS_MAX (4u << 20)

/* Where a layer's index is from, in a word: "store", "registry", "disk". */
const char *status_from(const struct mount *m, const struct layer_progress *p);
/* Appends the JSON text. 0, -ENOMEM, -E2BIG. */
int status_render(struct view *v, struct buf *out);
/* The same of a namespace. */
int status_render_all(struct mount *m, struct buf *out);

#endif
