/* SPDX-License-Identifier: MIT */
/* inspect.json: what `docker image inspect` prints, as far as an image has it. */
#ifndef FS_TEXT_INSPECT_H
#define FS_TEXT_INSPECT_H

#include <stdint.h>

struct buf;
struct history;
struct view;

/* Appends the text. 0, -ENOMEM, -E2BIG. */
int inspect_render(const struct view *v, const struct history *h, uint32_t none,
		   struct buf *out);

#endif
