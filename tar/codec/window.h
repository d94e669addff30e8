/* SPDX-License-Identifier: MIT */
/*
 * The history that a deflate span needs before it: of the last 32 KiB of output, the
 * bytes that the span refers to. Stripped of the others, then packed, it is a small
 * part of them.
 */
#ifndef TAR_CODEC_WINDOW_H
#define TAR_CODEC_WINDOW_H

#include <stddef.h>
#include <stdint.h>

#include "tar/codec/inflate.h"

struct window {
	size_t len;
	uint8_t bytes[INFLATE_WINDOW]; /* the last @len bytes before the span */
};

/* Room that window_pack() never exceeds: nothing is saved, and what that costs. */
#define WINDOW_PACKED_MAX (INFLATE_WINDOW + 4096)

/*
 * Zeroes the bytes that are not referred to, and drops those before the first one
 * that is. @in is the span's input from its first byte, whose low @bits bits are not
 * its own; @out the output it makes, all of it or INFLATE_WINDOW bytes: what comes
 * later cannot reach back so far. @probe is used for it.
 * -EBADMSG if @in does not give @out: then @w is as it was.
 */
int window_strip(struct window *w, struct inflate *probe, const uint8_t *in,
		 size_t in_len, unsigned bits, const uint8_t *out, size_t out_len);

/* Packs a window into @out, which has WINDOW_PACKED_MAX bytes. *len is 0 if it is empty. */
int window_pack(const struct window *w, uint8_t *out, size_t *len);
/* -EBADMSG for what window_pack() cannot have made. @w is then undefined. */
int window_unpack(const void *packed, size_t len, struct window *w);

#endif
