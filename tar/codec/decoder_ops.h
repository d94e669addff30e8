/* SPDX-License-Identifier: MIT */
/* What a decoder of a layer needs from its caller; see decoder.h. */
#ifndef TAR_CODEC_DECODER_OPS_H
#define TAR_CODEC_DECODER_OPS_H

#include <stddef.h>

struct span;

/* A negative errno from any of these ends the decoding; decoder_feed() returns it. */
struct decoder_ops {
	/* Provides memory for the next decoded bytes: at least one byte. */
	int (*room)(void *arg, void **room, size_t *len);
	/*
	 * The first @len bytes of the room are filled. They must stay readable until
	 * room() is called again.
	 */
	int (*output)(void *arg, size_t len);
	/*
	 * Reports a span, with all fields set, in order of `out`. It is called after all
	 * of the span's output was handed out, but not necessarily at once. It may be
	 * called by another thread, which has ended when decoder_finish() or
	 * decoder_free() returns. The window is valid during the call.
	 */
	int (*span)(void *arg, const struct span *sp);
};

#endif
