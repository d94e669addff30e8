/* SPDX-License-Identifier: MIT */
/*
 * What a layer is called in the mount, and what there is to say of it: layers/N-HEX12,
 * N from 1 at the base, and layers/N-HEX12.json.
 */
#ifndef FS_TEXT_LAYER_JSON_H
#define FS_TEXT_LAYER_JSON_H

#include <stdint.h>

struct buf;
struct history;
struct image;
struct view;

/* A number, a dash, 12 digits. */
#define LAYER_NAME_MAX 32

/* Of layer @i (from 0). Gives @out, which has LAYER_NAME_MAX bytes, back. */
const char *layer_name(const struct image *img, uint32_t i, char *out);
/*
 * Appends the text of layers/N-HEX12.json: descriptor, diff ID, step, entries, sizes; why
 * it is broken. 0, -ENOMEM, -E2BIG.
 */
int layer_json_render(const struct view *v, const struct history *h, uint32_t i,
		      struct buf *out);

#endif
