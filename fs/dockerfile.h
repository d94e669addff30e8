/* SPDX-License-Identifier: MIT */
/*
 * The steps of a Dockerfile, as far as history and config still tell them.
 */
#ifndef FS_DOCKERFILE_H
#define FS_DOCKERFILE_H

#include <stdint.h>

struct buf;
struct history;
struct json;
struct view;

/* Appends the text, whose first line says what it is. 0, -ENOMEM, -E2BIG. */
int dockerfile_render(const struct view *v, const struct history *h, uint32_t none,
		      struct buf *out);

/*
 * Appends one step as an instruction, with its line end. @config is the part "config" of
 * the image's config, or NULL; @shell what RUN is given to, "/bin/sh -c".
 */
int dockerfile_step(const char *created_by, const struct json *config, const char *shell,
		    struct buf *out);

#endif
