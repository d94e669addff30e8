/* SPDX-License-Identifier: MIT */
/*
 * Zstandard (RFC 8878): consecutive frames, including skippable ones. zstd.c is the only
 * source that includes the library. Content checksums are verified if a frame has one.
 */
#ifndef TAR_CODEC_ZSTD_H
#define TAR_CODEC_ZSTD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tar/codec/flow.h"

struct buf;
struct err;
struct zstd;

/* The history that a frame may require, and so the memory that it costs. */
#define ZSTD_WINDOW_MAX (1u << 27)

enum zstd_status {
	ZSTD_MORE,  /* the output is full, or the input is used up */
	ZSTD_FRAME, /* a frame has ended; exactly its bytes are used up */
};

/* Starts at the header of a frame. */
int zstd_new(struct zstd **out);
void zstd_free(struct zstd *z);

/*
 * Returns an enum zstd_status, -EBADMSG, -E2BIG (ZSTD_WINDOW_MAX), -ENOTSUP (needs a
 * dictionary) or -ENOMEM. Output may be held back while the output is full: call it again
 * then, even without input.
 */
int zstd_run(struct zstd *z, struct flow *flow, struct err *e);

/*
 * All at once. zstd_pack() appends a frame, of the highest ordinary level, to @out;
 * zstd_unpack() appends the content of frames, -E2BIG above the ceiling of @out. Errors: as
 * zstd_run(), -EBADMSG for data that is cut.
 */
int zstd_pack(const void *data, size_t len, struct buf *out);
int zstd_unpack(const void *data, size_t len, struct buf *out, struct err *e);

/* May the data end here? */
bool zstd_is_between(const struct zstd *z);

#endif
