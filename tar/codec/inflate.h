/* SPDX-License-Identifier: MIT */
/*
 * Raw deflate (RFC 1951): one stream of blocks, decoded from its start or from a block
 * boundary in its middle. There are two engines: ISA-L if it is built in, and zlib.
 * inflate.c is the only source that includes zlib.
 */
#ifndef TAR_CODEC_INFLATE_H
#define TAR_CODEC_INFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tar/codec/inflate_engine.h"

enum inflate_choice { INFLATE_FASTEST, INFLATE_ZLIB };

/* Call inflate_start() before inflate_run(). */
int inflate_new(enum inflate_choice engine, struct inflate **out);
void inflate_free(struct inflate *f);

/*
 * Begins a stream; the state before does not matter. @window is the last output before
 * this place, @len bytes. The first @bits (0 to 7) bits of input are in @value, lowest
 * first; the rest follows as whole bytes. 0 or -ENOMEM.
 */
int inflate_start(struct inflate *f, const void *window, size_t len, unsigned bits,
		  unsigned value);

/*
 * Decodes. Returns an enum inflate_status, -EBADMSG or -ENOMEM. An engine may hold back
 * output while the output is full: call it again then, even without input.
 *
 * With @stop it returns INFLATE_BLOCK at the next block boundary, after all output before
 * the boundary was handed out. An engine may miss boundaries, even many.
 */
int inflate_run(struct inflate *f, struct flow *flow, bool stop);

/* After INFLATE_BLOCK: the number of bits before flow->in where the block begins. */
unsigned inflate_behind(const struct inflate *f);

/*
 * After INFLATE_END: the bytes that the engine took from the input and that do not belong
 * to the stream. Returns their number, less than INFLATE_TAIL.
 */
size_t inflate_tail(const struct inflate *f, uint8_t tail[INFLATE_TAIL]);

/*
 * Compresses a short run of bytes, which is to be stored, into a raw deflate stream.
 * Returns its length, or 0 if @room is too small.
 */
size_t inflate_pack(const void *data, size_t len, void *out, size_t room);

/* zlib's CRC-32. Use checksum.h. */
uint32_t inflate_crc(uint32_t crc, const void *data, size_t len);
uint32_t inflate_crc_join(uint32_t first, uint32_t second, uint64_t second_len);

#endif
