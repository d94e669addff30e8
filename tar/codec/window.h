/* SPDX-License-Identifier: MIT */
/*
 * The history that a deflate span needs: those bytes of the last 32 KiB of output before
 * it that the span refers to. Without the other bytes, and packed, it is a small part of
 * 32 KiB.
 */
#ifndef TAR_CODEC_WINDOW_H
#define TAR_CODEC_WINDOW_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <stdint.h>

#include "tar/codec/inflate.h"

struct window {
	size_t len;
	uint8_t bytes[INFLATE_WINDOW]; /* the last @len bytes before the span */
};

/*
 * The inner form of a packed window, which is the same on all machines: @out has
 * WINDOW_RUNS_MAX bytes. The length, 0 for an empty window; or -ENOMEM.
 */
#define WINDOW_RUNS_MAX (INFLATE_WINDOW + 1024)
ssize_t window_write_runs(const struct window *w, uint8_t *out);
/* -EBADMSG for data that window_write_runs() did not make; @w is undefined then. */
int window_read_runs(const uint8_t *data, size_t len, struct window *w);

/* The most that window_pack() writes: an incompressible window and the overhead. */
#define WINDOW_PACKED_MAX (INFLATE_WINDOW + 4096)

/*
 * Zeroes the bytes that the span does not refer to, and drops those before the first one
 * that it does. @in is the span's input from its first byte, whose low @bits bits do not
 * belong to it. @out is its output: all of it, or the first INFLATE_WINDOW bytes, because
 * later output cannot refer so far back. @probe is a decoder to work with. -EBADMSG if
 * @in does not decode to @out; @w is unchanged then.
 */
int window_strip(struct window *w, struct inflate *probe, const uint8_t *in,
		 size_t in_len, unsigned bits, const uint8_t *out, size_t out_len);

/*
 * Packs a window into @out, which has WINDOW_PACKED_MAX bytes. *len is 0 for an empty
 * window.
 */
int window_pack(const struct window *w, uint8_t *out, size_t *len);
/* -EBADMSG for data that window_pack() did not make; @w is undefined then. */
int window_unpack(const void *packed, size_t len, struct window *w);

#endif
