/* SPDX-License-Identifier: MIT */
/*
 * Platforms, and how well an image for one runs on another (image-spec image-index.md
 * "platform"). Normalisation and order of preference are containerd's.
 */
#ifndef REGISTRY_IMAGE_PLATFORM_H
#define REGISTRY_IMAGE_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>

struct err;

#define PLATFORM_PART_MAX 32

struct platform {
	char os[PLATFORM_PART_MAX]; /* lower case; not empty after platform_parse() */
	char arch[PLATFORM_PART_MAX];
	char variant[PLATFORM_PART_MAX]; /* may be empty */
};

/* Parses "os/arch[/variant]", or "arch[/variant]" for linux, and normalises it. -EINVAL. */
int platform_parse(const char *text, struct platform *out, struct err *e);
/* The platform this program runs on, with the best variant that the CPU supports. */
void platform_host(struct platform *out);
/* Canonical spelling in place: x86_64 is amd64, arm is arm/v7, arm64/v8 is arm64, ... */
void platform_normalise(struct platform *p);
#define PLATFORM_TEXT_MAX (3 * PLATFORM_PART_MAX)
/*
 * Writes "os/arch[/variant]" to @out, of PLATFORM_TEXT_MAX bytes, and returns it. @sep is
 * '/' or, for a file name, '-'. In a file name all but letters, digits, '.', '_' and '-'
 * become '_', because an index may contain any bytes.
 */
const char *platform_format(const struct platform *p, char sep, char *out);
/*
 * How well an image for @have runs on @want: 0 not at all, else higher is better. Both
 * are normalised.
 */
unsigned platform_match(const struct platform *want, const struct platform *have);

#endif
