/* SPDX-License-Identifier: MIT */
/*
 * A layer's first and only complete decoding: compressed bytes are pushed in,
 * decoded bytes come out, and on the way the spans are noted from which any part
 * can be had again later.
 *
 * gzip (any number of members), zstd (any number of frames, skippable ones
 * included) or a plain tar: told from the first bytes.
 */
#ifndef TAR_CODEC_DECODER_H
#define TAR_CODEC_DECODER_H

#include <stddef.h>
#include <stdint.h>

#include "tar/codec/span.h"

enum compression { COMPRESSION_PLAIN, COMPRESSION_GZIP, COMPRESSION_ZSTD };

/* What the bytes of a layer's beginning say; at least 4 of them, unless it is shorter. */
enum compression compression_of(const void *data, size_t len);
/* "gzip" */
const char *compression_name(enum compression c);

struct decoder_ops {
	/* Each may end it by a negative errno, which comes back from decoder_feed(). */

	/* Where decoded bytes are to be put, in order: room for one at least. */
	int (*room)(void *arg, void **room, size_t *len);
	/* So many are there. They must stay readable until room() is called again. */
	int (*output)(void *arg, size_t len);
	/*
	 * One span, in order of `out`, all fields set; called when all of its output has
	 * been handed out, not necessarily at once, and perhaps by another thread, which has
	 * ended when decoder_finish() or decoder_free() returns. The window is lent for the call.
	 */
	int (*span)(void *arg, const struct span *sp);
};

struct decoder;

/* @ops must outlive the decoder. */
int decoder_new(const struct decoder_ops *ops, void *arg, struct decoder **out);
void decoder_free(struct decoder *d);
/*
 * 0, or -EBADMSG (corrupt, and where), -E2BIG (a span or a zstd window over its
 * ceiling), -ENOTSUP, -ENOMEM, or what a callback returned.
 */
int decoder_feed(struct decoder *d, const void *data, size_t len, struct err *e);
/* No more bytes: -EBADMSG if the stream is cut short. The last spans come now. */
int decoder_finish(struct decoder *d, struct err *e);

/* Known after the first bytes. */
enum compression decoder_compression(const struct decoder *d);

#endif
