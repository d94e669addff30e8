/* SPDX-License-Identifier: MIT */
/*
 * What is left to do for a deflate span when it has been cut: the digest of its
 * compressed bytes, and of its window what it refers to, packed. A thread of its own
 * does it, for decoding is what a first pass waits for. Used by gzip_cutter.c.
 */
#ifndef TAR_CODEC_SEALER_H
#define TAR_CODEC_SEALER_H

#include <stddef.h>

#include "tar/codec/inflate.h"

struct sealer;
struct span;

/* @give is called by the thread for each span, in order; the window is lent for the call. */
int sealer_new(int (*give)(void *arg, const struct span *sp), void *arg,
	       enum inflate_choice engine, struct sealer **out);
/* Spans that were not given are lost. NULL is fine. */
void sealer_free(struct sealer *s);

/* What follows gives 0, -ENOMEM, or what @give returned: then there is no more to do. */

/* The compressed bytes of the span that is under way, in order; all of them. */
int sealer_input(struct sealer *s, const void *data, size_t len);
/* The output before it, at most INFLATE_WINDOW bytes in all. */
int sealer_window(struct sealer *s, const void *data, size_t len);
/* Its first output: INFLATE_WINDOW bytes in all, or as much as there is. */
int sealer_head(struct sealer *s, const void *data, size_t len);
/* The span ends: @sp has all but the digest and the window. */
int sealer_end(struct sealer *s, const struct span *sp);

/* Waits until all spans have been given. */
int sealer_finish(struct sealer *s);

#endif
