/* SPDX-License-Identifier: MIT */
/*
 * The steps of a Dockerfile, as far as history and config still tell them.
 */
#ifndef FS_DOCKERFILE_H
#define FS_DOCKERFILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct history;
struct json;
struct view;

/* Appends the text, whose first line says what it is. 0, -ENOMEM, -E2BIG. */
int dockerfile_render(const struct view *v, const struct history *h, uint32_t none,
		      struct buf *out);

/* A set, to be sorted before it is searched. */
struct hashes {
	uint64_t *list;
	size_t n, room;
};

/* What is known from one step to the next. */
struct telling {
	struct buf shell;    /* what RUN is given to, "/bin/sh -c" at first */
	struct hashes pairs; /* the variables and labels of the config */
	struct hashes told;  /* what the steps so far have said */
};

/* @config is the part "config" of the image's config, or NULL. Release it in any case. */
int telling_init(struct telling *t, const struct json *config);
void telling_release(struct telling *t);
/* Appends one step as an instruction, with its line end. 0, -ENOMEM, -E2BIG. */
int dockerfile_step(struct telling *t, const char *created_by, struct buf *out);

#endif
