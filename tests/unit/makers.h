/* SPDX-License-Identifier: MIT */
/*
 * Compressed layers of every kind, made by the libraries themselves: what the tests
 * of decoder.c and its helpers read.
 */
#ifndef TESTS_UNIT_MAKERS_H
#define TESTS_UNIT_MAKERS_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>
#include <zstd.h>

#include "base/buf.h"

#define MAKER_MAX (256u << 20)

static uint64_t maker_random;

static uint32_t random_next(void)
{
	maker_random = maker_random * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(maker_random >> 33);
}

/* Memory, or the end of the test: what is tested is elsewhere. */
static void *need(void *p)
{
	if (!p)
		exit(1);
	return p;
}

/* A test that has no memory for its input has nothing to say. */
static void maker_append(struct buf *b, const void *data, size_t len)
{
	if (buf_append(b, data, len) < 0)
		exit(77);
}

/* Like what layers hold: text, machine code, compressed files, zeros, copies of it all. */
__attribute__((unused)) static void make_plain(struct buf *b, size_t len)
{
	static const char *const words[] = {"the ", "layer", " of ",   "usr/lib",
					    "\n",   "int ",  "0x00, ", "return",
					    " = ",  "peel ", "{\n\t",  "};\n"};
	uint8_t run[512];
	size_t i;

	while (b->len < len) {
		size_t n = 200 + random_next() % 60000, at, end = b->len + n;

		switch (random_next() % 8) {
		case 0:
			memset(run, 0, sizeof(run));
			while (b->len < end)
				maker_append(b, run, sizeof(run));
			break;
		case 1:
			while (b->len < end) {
				for (i = 0; i < sizeof(run); i++)
					run[i] = (uint8_t)random_next();
				maker_append(b, run, sizeof(run));
			}
			break;
		case 2:
			if (b->len < 40000)
				break;
			while (b->len < end) {
				at = b->len - 600 - random_next() % 32000;
				memcpy(run, b->data + at, sizeof(run));
				maker_append(b, run,
					     3 + random_next() % (sizeof(run) - 3));
			}
			break;
		default:
			while (b->len < end) {
				const char *word = words[random_next() % 12];

				maker_append(b, word, strlen(word));
				run[0] = (uint8_t)random_next();
				if (run[0] < 90)
					maker_append(b, run, 1);
			}
		}
	}
	b->len = len;
}

struct gzip_form {
	int level, strategy;
	size_t flush_every; /* bytes of content, 0: never */
	int flush;
	size_t member; /* bytes of content in each, 0: one member */
	int fields;    /* the header has all optional ones */
};

/* One member; its CRC is computed here, for a header with fields is made by hand. */
static void make_member(struct buf *b, const uint8_t *data, size_t len,
			const struct gzip_form *f)
{
	static const uint8_t plain[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3};
	static const uint8_t all[] = {0x1f, 0x8b, 8,   2 | 4 | 8 | 16,
				      1,    2,	  3,   4,
				      2,    3,	  6,   0,
				      'B',  'C',  2,   0,
				      7,    7,	  'n', 'a',
				      'm',  'e',  0,   'c',
				      0};
	size_t step = f->flush_every ? f->flush_every : len;
	uint32_t crc = (uint32_t)crc32(0, data, (uInt)len);
	uint8_t out[65536], end[8];
	z_stream s = {0};
	int rc = Z_OK, i;

	if (f->fields) {
		uint32_t header = (uint32_t)crc32(0, all, sizeof(all));

		maker_append(b, all, sizeof(all));
		end[0] = (uint8_t)header;
		end[1] = (uint8_t)(header >> 8);
		maker_append(b, end, 2);
	} else {
		maker_append(b, plain, sizeof(plain));
	}
	if (deflateInit2(&s, f->level, Z_DEFLATED, -15, 8, f->strategy) != Z_OK)
		exit(77);
	s.next_in = (Bytef *)(uintptr_t)data;
	while (rc != Z_STREAM_END) {
		size_t left = len - (size_t)(s.next_in - data),
		       n = left < step ? left : step;

		s.avail_in = (uInt)n;
		do {
			s.next_out = out;
			s.avail_out = sizeof(out);
			rc = deflate(&s, n == left ? Z_FINISH : f->flush);
			maker_append(b, out, sizeof(out) - s.avail_out);
		} while (s.avail_out == 0);
	}
	deflateEnd(&s);
	for (i = 0; i < 4; i++) {
		end[i] = (uint8_t)(crc >> (8 * i));
		end[4 + i] = (uint8_t)(len >> (8 * i));
	}
	maker_append(b, end, 8);
}

__attribute__((unused)) static void make_gzip(struct buf *b, const void *data, size_t len,
					      const struct gzip_form *f)
{
	const uint8_t *p = data;
	size_t step = f->member ? f->member : len;

	do {
		size_t n = len < step ? len : step;

		make_member(b, p, n, f);
		p += n;
		len -= n;
	} while (len > 0);
}

struct zstd_form {
	int level, window_log, checksum;
	size_t frame;  /* bytes of content in each, 0: one frame */
	int skippable; /* a skippable frame before each, and one at the end */
	int is_stream; /* the frame does not say its size */
};

static void make_skippable(struct buf *b)
{
	static const uint8_t frame[] = {0x5a, 0x2a, 0x4d, 0x18, 3,  0,
					0,    0,    'a',  'b',	'c'};

	maker_append(b, frame, sizeof(frame));
}

static void make_frame(struct buf *b, const void *data, size_t len,
		       const struct zstd_form *f)
{
	ZSTD_CCtx *ctx = need(ZSTD_createCCtx());
	size_t room = ZSTD_compressBound(len) + 64, n;
	ZSTD_inBuffer in = {data, len, 0};
	ZSTD_outBuffer out = {need(malloc(room)), room, 0};

	ZSTD_CCtx_setParameter(ctx, ZSTD_c_compressionLevel, f->level);
	ZSTD_CCtx_setParameter(ctx, ZSTD_c_checksumFlag, f->checksum);
	if (f->window_log)
		ZSTD_CCtx_setParameter(ctx, ZSTD_c_windowLog, f->window_log);
	if (f->is_stream) {
		/* The end comes as a surprise, so the header cannot say it. */
		while (in.pos < in.size)
			ZSTD_compressStream2(ctx, &out, &in, ZSTD_e_continue);
		while (ZSTD_compressStream2(ctx, &out, &in, ZSTD_e_end) != 0)
			;
	} else {
		n = ZSTD_compress2(ctx, out.dst, room, data, len);
		if (ZSTD_isError(n))
			exit(77);
		out.pos = n;
	}
	maker_append(b, out.dst, out.pos);
	free(out.dst);
	ZSTD_freeCCtx(ctx);
}

__attribute__((unused)) static void make_zstd(struct buf *b, const void *data, size_t len,
					      const struct zstd_form *f)
{
	const uint8_t *p = data;
	size_t step = f->frame ? f->frame : len;

	do {
		size_t n = len < step ? len : step;

		if (f->skippable)
			make_skippable(b);
		make_frame(b, p, n, f);
		p += n;
		len -= n;
	} while (len > 0);
	if (f->skippable)
		make_skippable(b);
}

#endif
