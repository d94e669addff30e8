/* SPDX-License-Identifier: MIT */
/*
 * What a program reads of the layers of an image, in the order in which it first reads it:
 * ranges of their decoded bytes, which do not depend on how an index cuts them into spans.
 * As text, which an artifact beside the image has as an annotation (index_artifact.h):
 *
 *	0=0-1048575,3145728-4194303 2=0-99
 *
 * is a list of layers, from 0, each with ranges of bytes, the last one included. A layer may
 * occur more than once. Plain data.
 */
#ifndef REGISTRY_IMAGE_TRACE_H
#define REGISTRY_IMAGE_TRACE_H

#include <stddef.h>
#include <stdint.h>

struct buf;

/* IMAGE_LAYERS_MAX */
#define TRACE_LAYERS_MAX 1000
/* A trace that names more is malformed. A list of referrers repeats its text. */
#define TRACE_RANGES_MAX 1024
#define TRACE_TEXT_MAX	 (32u << 10)

struct trace_range {
	uint32_t layer; /* below TRACE_LAYERS_MAX; perhaps the image has no such layer */
	uint64_t first; /* decoded bytes [first, end), not empty */
	uint64_t end;	/* perhaps behind the layer's end */
};

struct trace {
	struct trace_range *list; /* NULL: there is none */
	size_t n;
};

/* Parses a NUL-terminated text. -EBADMSG: malformed, or above a ceiling; -ENOMEM. */
int trace_parse(const char *text, struct trace *out);
/* Adds a range, or extends the last one. -E2BIG at TRACE_RANGES_MAX; -ENOMEM. */
int trace_add(struct trace *t, uint32_t layer, uint64_t first, uint64_t end);
/* Appends the text. -ENOMEM, -E2BIG. */
int trace_write(const struct trace *t, struct buf *out);
/* The length of all ranges; at most UINT64_MAX. */
uint64_t trace_bytes(const struct trace *t);
void trace_release(struct trace *t);

#endif
