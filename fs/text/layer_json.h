/* SPDX-License-Identifier: MIT */
#ifndef FS_TEXT_LAYER_JSON_H
#define FS_TEXT_LAYER_JSON_H

#include <stdint.h>

struct buf;
struct image_facts;

/*
 * Appends the text of layers/N-HEX12.json for layer @i, counted from 0 at the base: its
 * descriptor, diff ID, build step, number of entries and sizes, or why it is broken.
 * 0, -ENOMEM, -E2BIG.
 */
int layer_json_render(const struct image_facts *f, uint32_t i, struct buf *out);

#endif
