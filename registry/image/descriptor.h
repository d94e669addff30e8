/* SPDX-License-Identifier: MIT */
/* Descriptors, and what they are made of, as documents say them (image-spec descriptor.md). */
#ifndef REGISTRY_IMAGE_DESCRIPTOR_H
#define REGISTRY_IMAGE_DESCRIPTOR_H

#include <stddef.h>

#include "registry/image/image.h"

struct err;
struct json;

/*
 * @what names it in a sentence. -EBADMSG without a digest or a size, -ENOTSUP for a digest
 * of an unknown algorithm; all else may be missing, and is dropped if it is no good.
 */
int descriptor_parse(const struct json *j, struct descriptor *out, const char *what,
		     struct err *e);
/* 0 or -ENOMEM, and then, too, what is in *list is the caller's. */
int annotations_parse(const struct json *j, struct annotation **list, size_t *count);
/* Empty where @j says nothing. */
void platform_take(const struct json *j, struct platform *out);

#endif
