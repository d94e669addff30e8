/* SPDX-License-Identifier: MIT */
/*
 * Completes deflate spans after they have been cut: computes the digest of the compressed
 * bytes, strips the window to what the span refers to, and packs it. It uses its own
 * thread, because a first pass waits for decoding. gzip_cutter.c is the user.
 */
#ifndef TAR_CODEC_SEALER_H
#define TAR_CODEC_SEALER_H

#include <stddef.h>

#include "tar/codec/inflate.h"

struct sealer;
struct span;

/* The thread calls @give for each span, in order. The window is valid during the call. */
int sealer_new(int (*give)(void *arg, const struct span *sp), void *arg,
	       enum inflate_choice engine, struct sealer **out);
/* Drops spans that were not reported yet. */
void sealer_free(struct sealer *s);

enum sealer_part {
	SEALER_INPUT, /* the compressed bytes of the current span, in order, all of them */
	SEALER_WINDOW, /* the output before the span, at most INFLATE_WINDOW bytes in all */
	SEALER_HEAD, /* the span's first INFLATE_WINDOW bytes of output, or less if short */
};

/*
 * The following calls return 0, -ENOMEM, or the error of @give. After an error nothing
 * more is done.
 */

/* The next bytes of a part. */
int sealer_put(struct sealer *s, enum sealer_part part, const void *data, size_t len);
/* Ends the span. @sp has all fields but the digest and the window. */
int sealer_end(struct sealer *s, const struct span *sp);

/* Waits until all spans have been reported. */
int sealer_finish(struct sealer *s);

#endif
