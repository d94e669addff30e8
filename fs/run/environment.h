/* SPDX-License-Identifier: MIT */
/* The words and the environment of the program that an image starts. */
#ifndef FS_RUN_ENVIRONMENT_H
#define FS_RUN_ENVIRONMENT_H

#include "fs/run/image_config.h"
#include "fs/run/spec.h"

/*
 * Appends the command of @s, or that of the image, behind the entrypoint of the image. 0 or
 * -ENOMEM; nothing is appended if neither names one.
 */
int environment_words(const struct run_spec *s, const struct image_config *c,
		      struct strings *out);

/*
 * Appends NAME=VALUE: what engines always set, the image's, and last that of @s, where
 * later ones replace earlier ones. Of the caller's own environment only what @s names, and
 * TERM for a terminal. @home is the home of the user. 0 or -ENOMEM.
 */
int environment_make(const struct run_spec *s, const struct image_config *c,
		     const char *home, struct strings *out);

/* The value of @name; NULL: there is none. */
const char *environment_get(const struct strings *env, const char *name);

#endif
