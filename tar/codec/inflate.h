/* SPDX-License-Identifier: MIT */
/*
 * Raw deflate (RFC 1951): one stream of blocks, decoded from its start or from a
 * block boundary in its middle. Two engines do it: ISA-L where it was built in,
 * and zlib. inflate.c is zlib's only door.
 */
#ifndef TAR_CODEC_INFLATE_H
#define TAR_CODEC_INFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tar/codec/flow.h"

/* The history that deflate may refer to. */
#define INFLATE_WINDOW (32u * 1024)

enum inflate_engine { INFLATE_FASTEST, INFLATE_ZLIB };

enum inflate_status {
	INFLATE_MORE,  /* the output is full, or the input is used up */
	INFLATE_BLOCK, /* a block begins: see inflate_behind() */
	INFLATE_END,   /* the stream ended: see inflate_tail() */
};

struct inflate;

struct inflate_ops {
	int (*start)(struct inflate *f, const void *window, size_t len, unsigned bits,
		     unsigned value);
	int (*run)(struct inflate *f, struct flow *flow, bool stop);
	unsigned (*behind)(const struct inflate *f);
	size_t (*tail)(const struct inflate *f, uint8_t *tail);
	void (*free)(struct inflate *f);
};

/* The head of each engine. */
struct inflate {
	const struct inflate_ops *ops;
};

/* inflate_start() must come before inflate_run(). */
int inflate_new(enum inflate_engine engine, struct inflate **out);
/* NULL is fine. */
void inflate_free(struct inflate *f);

/*
 * Begins a stream, whatever was before. @window: the output before, its last bytes.
 * The first @bits (0-7) bits of input are in @value, lowest first; the rest follows
 * as whole bytes. 0 or -ENOMEM.
 */
int inflate_start(struct inflate *f, const void *window, size_t len, unsigned bits,
		  unsigned value);

/*
 * Decodes. An enum inflate_status, or -EBADMSG, -ENOMEM. Output may be held back while
 * the output is full: call again, also without input.
 *
 * @stop asks for INFLATE_BLOCK at the next block boundary, when all output before it
 * has been handed out. An engine may miss boundaries, even many.
 */
int inflate_run(struct inflate *f, struct flow *flow, bool stop);

/* After INFLATE_BLOCK: how many bits before flow->in the block begins. */
unsigned inflate_behind(const struct inflate *f);

/* After INFLATE_END: the bytes (below INFLATE_TAIL) that were taken and are not its own. */
#define INFLATE_TAIL 8
size_t inflate_tail(const struct inflate *f, uint8_t tail[INFLATE_TAIL]);

/*
 * The other direction, for short runs of bytes that are stored: a raw deflate stream.
 * Gives its length, or 0 if it has no room.
 */
size_t inflate_pack(const void *data, size_t len, void *out, size_t room);

/* zlib's CRC-32; use checksum.h. */
uint32_t inflate_crc(uint32_t crc, const void *data, size_t len);
uint32_t inflate_crc_join(uint32_t first, uint32_t second, uint64_t second_len);

#endif
