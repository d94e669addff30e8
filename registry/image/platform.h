/* SPDX-License-Identifier: MIT */
/*
 * Platforms, and which entry of an image index suits one (image-spec
 * image-index.md "platform"; normalisation and order as containerd does them).
 */
#ifndef REGISTRY_IMAGE_PLATFORM_H
#define REGISTRY_IMAGE_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>

struct err;

#define PLATFORM_PART_MAX 32

struct platform {
	char os[PLATFORM_PART_MAX]; /* lower case, never empty once parsed */
	char arch[PLATFORM_PART_MAX];
	char variant[PLATFORM_PART_MAX]; /* may be empty */
};

/* "os/arch[/variant]", or "arch[/variant]" for linux. Normalised. -EINVAL with a sentence. */
int platform_parse(const char *text, struct platform *out, struct err *e);
/* The platform this program runs on, with the best variant that the CPU allows. */
void platform_host(struct platform *out);
/* Canonical spelling in place: x86_64 is amd64, arm is arm/v7, arm64/v8 is arm64, ... */
void platform_normalise(struct platform *p);
/*
 * "os/arch[/variant]"; @sep is '/' or, for a file name, '-': then what is no letter, digit,
 * '.', '_' or '-' becomes '_', for an index may say anything. Gives @out back.
 */
#define PLATFORM_TEXT_MAX (3 * PLATFORM_PART_MAX)
const char *platform_format(const struct platform *p, char sep, char *out);
/*
 * How well an image for @have runs where @want is asked: 0 not at all, else the
 * higher the better. Both normalised.
 */
unsigned platform_match(const struct platform *want, const struct platform *have);

#endif
