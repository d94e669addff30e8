/* SPDX-License-Identifier: MIT */
/*
 * Recognises the compression; gzip_cutter.c and zstd_cutter.c do the work. A plain layer
 * is its own output, cut every SPAN_TARGET bytes.
 */
#include "tar/codec/decoder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/err.h"
#include "tar/codec/checksum.h"
#include "tar/codec/gzip_cutter.h"
#include "tar/codec/span.h"
#include "tar/codec/zstd_cutter.h"

#define MAGIC_LEN 4

struct decoder {
	const struct decoder_ops *ops;
	void *arg;
	bool is_known; /* the compression is known */
	enum compression compression;
	uint8_t magic[MAGIC_LEN]; /* bytes received before that */
	size_t n_magic;
	struct gzip_cutter *gzip;
	struct zstd_cutter *zstd;
	struct hasher *hasher; /* plain only, as is the current span */
	struct span span;
};

int decoder_new(const struct decoder_ops *ops, void *arg, struct decoder **out)
{
	struct decoder *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	d->ops = ops;
	d->arg = arg;
	d->span = (struct span){.kind = SPAN_PLAIN, .has_crc = true};
	*out = d;
	return 0;
}

void decoder_free(struct decoder *d)
{
	if (!d)
		return;
	gzip_cutter_free(d->gzip);
	zstd_cutter_free(d->zstd);
	hasher_free(d->hasher);
	free(d);
}

enum compression decoder_compression(const struct decoder *d)
{
	return d->compression;
}

static int plain_span_end(struct decoder *d)
{
	struct digest digest;
	uint64_t end = d->span.out + d->span.out_len;
	int rc;

	hasher_finish(d->hasher, &digest);
	memcpy(d->span.digest, digest.bytes, sizeof(d->span.digest));
	d->span.in_len = d->span.out_len;
	rc = d->ops->span(d->arg, &d->span);
	d->span = (struct span){
		.kind = SPAN_PLAIN, .has_crc = true, .in = end, .out = end};
	return rc;
}

static int plain_output(struct decoder *d, const uint8_t *data, size_t len)
{
	int rc = 0;

	while (rc == 0 && len > 0) {
		void *room;
		size_t n;

		rc = d->ops->room(d->arg, &room, &n);
		if (rc < 0)
			break;
		if (n > len)
			n = len;
		memcpy(room, data, n);
		rc = d->ops->output(d->arg, n);
		data += n;
		len -= n;
	}
	return rc;
}

static int plain_feed(struct decoder *d, const uint8_t *data, size_t len)
{
	int rc = plain_output(d, data, len);

	while (rc == 0 && len > 0) {
		size_t n = (size_t)(SPAN_TARGET - d->span.out_len);

		if (n > len)
			n = len;
		hasher_update(d->hasher, data, n);
		d->span.crc = checksum(d->span.crc, data, n);
		d->span.out_len += n;
		data += n;
		len -= n;
		if (d->span.out_len == SPAN_TARGET)
			rc = plain_span_end(d);
	}
	return rc;
}

static int decoder_pass_on(struct decoder *d, const void *data, size_t len, struct err *e)
{
	if (len == 0)
		return 0;
	if (d->gzip)
		return gzip_cutter_feed(d->gzip, data, len, e);
	if (d->zstd)
		return zstd_cutter_feed(d->zstd, data, len, e);
	return plain_feed(d, data, len);
}

/* The first bytes are complete, or the input ended. */
static int decoder_begin(struct decoder *d, struct err *e)
{
	int rc;

	d->compression = compression_of(d->magic, d->n_magic);
	if (d->compression == COMPRESSION_GZIP)
		rc = gzip_cutter_new(d->ops, d->arg, INFLATE_FASTEST, &d->gzip);
	else if (d->compression == COMPRESSION_ZSTD)
		rc = zstd_cutter_new(d->ops, d->arg, &d->zstd);
	else
		rc = hasher_new(DIGEST_SHA256, &d->hasher);
	if (rc < 0)
		return rc;
	d->is_known = true;
	return decoder_pass_on(d, d->magic, d->n_magic, e);
}

int decoder_feed(struct decoder *d, const void *data, size_t len, struct err *e)
{
	const uint8_t *p = data;
	int rc;

	while (!d->is_known && len > 0) {
		d->magic[d->n_magic++] = *p++;
		len--;
		rc = d->n_magic == MAGIC_LEN ? decoder_begin(d, e) : 0;
		if (rc < 0)
			return rc;
	}
	return decoder_pass_on(d, p, len, e);
}

int decoder_finish(struct decoder *d, struct err *e)
{
	int rc = d->is_known ? 0 : decoder_begin(d, e);

	if (rc < 0)
		return rc;
	if (d->gzip)
		return gzip_cutter_finish(d->gzip, e);
	if (d->zstd)
		return zstd_cutter_finish(d->zstd, e);
	return d->span.out_len > 0 ? plain_span_end(d) : 0;
}
