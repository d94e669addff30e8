/* SPDX-License-Identifier: MIT */
/*
 * Zstandard (RFC 8878): frames, one after another, skippable ones included. zstd.c is
 * the library's only door. Content checksums are checked where frames have them.
 */
#ifndef TAR_CODEC_ZSTD_H
#define TAR_CODEC_ZSTD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tar/codec/flow.h"

struct err;
struct zstd;

/* History that a frame may ask for, and so the memory that it costs. */
#define ZSTD_WINDOW_MAX (1u << 27)

enum zstd_status {
	ZSTD_MORE,  /* the output is full, or the input is used up */
	ZSTD_FRAME, /* a frame has ended, all of it and nothing more is used up */
};

/* At the start of a frame. */
int zstd_new(struct zstd **out);
/* NULL is fine. */
void zstd_free(struct zstd *z);

/*
 * An enum zstd_status, or -EBADMSG, -E2BIG (ZSTD_WINDOW_MAX), -ENOTSUP (needs a
 * dictionary), -ENOMEM. Output may be held back while the output is full: call again,
 * also without input.
 */
int zstd_run(struct zstd *z, struct flow *flow, struct err *e);

/* May the data end here? */
bool zstd_is_between(const struct zstd *z);

#endif
