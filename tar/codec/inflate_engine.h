/* SPDX-License-Identifier: MIT */
/* What an engine behind inflate.h implements. */
#ifndef TAR_CODEC_INFLATE_ENGINE_H
#define TAR_CODEC_INFLATE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tar/codec/flow.h"

/* The history that deflate may refer to, in bytes. */
#define INFLATE_WINDOW (32u * 1024)
/* More bytes than inflate_tail() ever returns. */
#define INFLATE_TAIL 8

enum inflate_status {
	INFLATE_MORE,  /* the output is full, or the input is used up */
	INFLATE_BLOCK, /* a block begins: see inflate_behind() */
	INFLATE_END,   /* the stream ended: see inflate_tail() */
};

struct inflate;

/* The calls are those of inflate.h with the same names. */
struct inflate_ops {
	int (*start)(struct inflate *f, const void *window, size_t len, unsigned bits,
		     unsigned value);
	int (*run)(struct inflate *f, struct flow *flow, bool stop);
	unsigned (*behind)(const struct inflate *f);
	size_t (*tail)(const struct inflate *f, uint8_t *tail);
	void (*free)(struct inflate *f);
};

/* The first member of each engine's own struct. */
struct inflate {
	const struct inflate_ops *ops;
};

#endif
