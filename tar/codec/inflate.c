/* SPDX-License-Identifier: MIT */
#include "tar/codec/inflate.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "tar/codec/isal.h"

struct zlib {
	struct inflate base;
	z_stream strm;
};

static int zlib_start(struct inflate *f, const void *window, size_t len, unsigned bits,
		      unsigned value)
{
	z_stream *strm = &((struct zlib *)f)->strm;

	if (inflateReset2(strm, -15) != Z_OK)
		return -ENOMEM;
	if (bits > 0 && inflatePrime(strm, (int)bits, (int)value) != Z_OK)
		return -EBADMSG;
	if (len > 0 && inflateSetDictionary(strm, window, (uInt)len) != Z_OK)
		return -ENOMEM;
	return 0;
}

static int zlib_run(struct inflate *f, struct flow *flow, bool stop)
{
	z_stream *strm = &((struct zlib *)f)->strm;
	uInt in_len = flow->in_len < INT_MAX ? (uInt)flow->in_len : INT_MAX;
	uInt out_len = flow->out_len < INT_MAX ? (uInt)flow->out_len : INT_MAX;
	int rc;

	strm->next_in = (Bytef *)(uintptr_t)flow->in;
	strm->avail_in = in_len;
	strm->next_out = flow->out;
	strm->avail_out = out_len;
	rc = inflate(strm, stop ? Z_BLOCK : Z_NO_FLUSH);
	flow->in = strm->next_in;
	flow->in_len -= in_len - strm->avail_in;
	flow->out = strm->next_out;
	flow->out_len -= out_len - strm->avail_out;

	if (rc == Z_STREAM_END)
		return INFLATE_END;
	if (rc == Z_MEM_ERROR)
		return -ENOMEM;
	if (rc != Z_OK && rc != Z_BUF_ERROR)
		return -EBADMSG;
	/* 128: at a block boundary; 64: after the last block */
	if (stop && (strm->data_type & 0xc0) == 0x80)
		return INFLATE_BLOCK;
	return INFLATE_MORE;
}

static unsigned zlib_behind(const struct inflate *f)
{
	return (unsigned)((const struct zlib *)f)->strm.data_type & 7;
}

/* zlib returns unused whole bytes itself. */
static size_t zlib_tail(const struct inflate *f, uint8_t *tail)
{
	(void)f;
	(void)tail;
	return 0;
}

static void zlib_free(struct inflate *f)
{
	inflateEnd(&((struct zlib *)f)->strm);
	free(f);
}

static int zlib_new(struct inflate **out)
{
	static const struct inflate_ops ops = {
		.start = zlib_start,
		.run = zlib_run,
		.behind = zlib_behind,
		.tail = zlib_tail,
		.free = zlib_free,
	};
	struct zlib *z = calloc(1, sizeof(*z));

	if (!z)
		return -ENOMEM;
	z->base.ops = &ops;
	if (inflateInit2(&z->strm, -15) != Z_OK) {
		free(z);
		return -ENOMEM;
	}
	*out = &z->base;
	return 0;
}

int inflate_new(enum inflate_choice engine, struct inflate **out)
{
	if (engine == INFLATE_FASTEST && isal_is_there())
		return isal_new(out);
	return zlib_new(out);
}

void inflate_free(struct inflate *f)
{
	if (f)
		f->ops->free(f);
}

int inflate_start(struct inflate *f, const void *window, size_t len, unsigned bits,
		  unsigned value)
{
	return f->ops->start(f, window, len, bits, value);
}

int inflate_run(struct inflate *f, struct flow *flow, bool stop)
{
	return f->ops->run(f, flow, stop);
}

unsigned inflate_behind(const struct inflate *f)
{
	return f->ops->behind(f);
}

size_t inflate_tail(const struct inflate *f, uint8_t tail[INFLATE_TAIL])
{
	return f->ops->tail(f, tail);
}

size_t inflate_pack(const void *data, size_t len, void *out, size_t room)
{
	z_stream strm = {0};
	size_t done = 0;

	/*
	 * A few KB are packed: the level, window and memory are as small as they can be
	 * without a loss.
	 */
	if (deflateInit2(&strm, 5, Z_DEFLATED, -12, 6, Z_DEFAULT_STRATEGY) != Z_OK)
		return 0;
	strm.next_in = (Bytef *)(uintptr_t)data;
	strm.avail_in = (uInt)len;
	strm.next_out = out;
	strm.avail_out = (uInt)room;
	if (deflate(&strm, Z_FINISH) == Z_STREAM_END)
		done = room - strm.avail_out;
	deflateEnd(&strm);
	return done;
}

uint32_t inflate_crc(uint32_t crc, const void *data, size_t len)
{
	return (uint32_t)crc32_z(crc, data, len);
}

uint32_t inflate_crc_join(uint32_t first, uint32_t second, uint64_t second_len)
{
	return (uint32_t)crc32_combine(first, second, (z_off_t)second_len);
}
