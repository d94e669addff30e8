/* SPDX-License-Identifier: MIT */
/*
 * The steps of a Dockerfile, as far as history and config still tell them.
 */
#ifndef FS_TEXT_DOCKERFILE_H
#define FS_TEXT_DOCKERFILE_H

#include <stdint.h>

struct buf;
struct history;
struct instructions;
struct view;

/* Appends the text, whose first line says what it is. 0, -ENOMEM, -E2BIG. */
int dockerfile_render(const struct view *v, const struct history *h, uint32_t none,
		      struct buf *out);

/* Appends one step as an instruction, with its line end. 0, -ENOMEM, -E2BIG. */
int dockerfile_step(struct instructions *t, const char *created_by, struct buf *out);

#endif
