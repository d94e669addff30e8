/* SPDX-License-Identifier: MIT */
/*
 * The first and only complete decoding of a layer. The caller pushes compressed bytes in.
 * The decoder hands out the decoded bytes, and on the way it reports the spans from which
 * any part can be decoded again later.
 *
 * The input is gzip (any number of members), zstd (any number of frames, skippable ones
 * included) or a plain tar. The decoder recognises it by its first bytes.
 */
#ifndef TAR_CODEC_DECODER_H
#define TAR_CODEC_DECODER_H

#include <stddef.h>

#include "tar/codec/compression.h"
#include "tar/codec/decoder_ops.h"

struct decoder;
struct err;

/* @ops must outlive the decoder. */
int decoder_new(const struct decoder_ops *ops, void *arg, struct decoder **out);
void decoder_free(struct decoder *d);
/*
 * Decodes the next bytes. Errors: -EBADMSG for corrupt data, with the place in the
 * sentence; -E2BIG for a span or a zstd window over its ceiling; -ENOTSUP; -ENOMEM; or
 * the error of a callback.
 */
int decoder_feed(struct decoder *d, const void *data, size_t len, struct err *e);
/* Ends the input and reports the last spans. -EBADMSG if the stream is cut short. */
int decoder_finish(struct decoder *d, struct err *e);

/* Valid once the first bytes were fed. */
enum compression decoder_compression(const struct decoder *d);

#endif
