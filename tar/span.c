/* SPDX-License-Identifier: MIT */
/*
 * A span is fetched in pieces of at most FETCH_MAX bytes, which go through the hash
 * and the decoder: one piece, one request, for all but the strangest. A part of a long
 * zstd frame, which needs all that is before it, is read as a stream.
 */
#include "tar/span.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/err.h"
#include "base/num.h"
#include "base/source.h"
#include "tar/checksum.h"
#include "tar/gzip.h"
#include "tar/window.h"
#include "tar/zstd.h"

#define FETCH_MAX (16u * 1024 * 1024)
#define WASTE	  (128 * 1024) /* room for output that is skipped */

/* One load. */
struct load {
	const struct span *span;
	struct source *blob;
	struct err *e;
	struct gzip *gzip; /* or */
	struct zstd *zstd;
	struct hasher *hasher; /* of the compressed bytes, if they have the digest */
	struct stream *stream;
	uint8_t *piece; /* unless stream */
	size_t room;	/* of it */
	uint64_t fetched;
	uint64_t skip; /* output still to be thrown away */
	uint8_t *waste;
	uint8_t *out; /* where the next byte goes */
	size_t left;
};

static int corrupt(struct load *l, const char *what)
{
	return err_set(l->e, -EBADMSG, "%s, in the span at decoded byte %llu", what,
		       (unsigned long long)l->span->out);
}

/* The next compressed bytes: their number, 0 at the span's end. */
static ssize_t fetch(struct load *l, const uint8_t **data)
{
	uint64_t left = l->span->in_len - l->fetched;
	ssize_t n;

	if (left == 0)
		return 0;
	if (l->stream) {
		const void *lent = NULL;

		n = stream_next(l->stream, &lent, l->e);
		if (n == 0)
			return corrupt(l, "the layer ends too early");
		*data = lent;
		if (n > 0 && (uint64_t)n > left)
			n = (ssize_t)left;
	} else {
		int rc;

		n = (ssize_t)(left < l->room ? left : l->room);
		rc = source_read_all(l->blob, l->piece, (size_t)n, l->span->in + l->fetched,
				     l->e);
		if (rc < 0)
			return rc;
		*data = l->piece;
	}
	if (n > 0) {
		l->fetched += (uint64_t)n;
		if (l->hasher)
			hasher_update(l->hasher, *data, (size_t)n);
	}
	return n;
}

/* Decodes what was fetched, as far as the span's output goes. */
static int decode(struct load *l, struct flow *flow)
{
	for (;;) {
		bool wasted = l->skip > 0;
		size_t room = wasted ? (l->skip < WASTE ? (size_t)l->skip : WASTE) : l->left;
		int rc;

		if (room == 0)
			return 0;
		flow->out = wasted ? l->waste : l->out;
		flow->out_len = room;
		rc = l->gzip ? gzip_run(l->gzip, flow, false, l->e) : zstd_run(l->zstd, flow, l->e);
		if (rc < 0)
			return rc;
		if (wasted) {
			l->skip -= room - flow->out_len;
		} else {
			l->out += room - flow->out_len;
			l->left -= room - flow->out_len;
		}
		if (flow->in_len == 0 && flow->out_len > 0)
			return 0;
	}
}

/* A deflate block may begin inside a byte. */
static int start_block(struct load *l, struct flow *flow)
{
	const struct span *sp = l->span;
	struct window *w = malloc(sizeof(*w));
	unsigned value = 0;
	int rc;

	if (!w)
		return -ENOMEM;
	rc = window_unpack(sp->window, sp->window ? sp->window_len : 0, w);
	if (rc < 0) {
		rc = corrupt(l, "a damaged window");
		goto out;
	}
	if (sp->bits > 0) {
		value = (unsigned)*flow->in++ >> sp->bits;
		flow->in_len--;
	}
	rc = gzip_start_block(l->gzip, w->bytes, w->len, sp->bits > 0 ? 8u - sp->bits : 0, value);
out:
	free(w);
	return rc;
}

static int run(struct load *l)
{
	bool is_first = l->span->kind == SPAN_DEFLATE;
	const uint8_t *data = NULL;
	ssize_t n;
	int rc;

	/* Once there is no more to decode, the rest is fetched for the digest alone. */
	while (l->left > 0 || l->hasher) {
		struct flow flow = {0};

		n = fetch(l, &data);
		if (n <= 0)
			return (int)n;
		flow.in = data;
		flow.in_len = (size_t)n;
		rc = is_first ? start_block(l, &flow) : 0;
		is_first = false;
		if (rc == 0)
			rc = decode(l, &flow);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int load_init(struct load *l)
{
	const struct span *sp = l->span;
	int rc = 0;

	l->skip = sp->skip;
	l->left = (size_t)sp->out_len;
	l->room = sp->in_len < FETCH_MAX ? (size_t)sp->in_len : FETCH_MAX;
	if (sp->in_len > FETCH_MAX && sp->skip > 0) {
		rc = source_stream(l->blob, sp->in, &l->stream, l->e);
	} else {
		l->piece = malloc(l->room);
		rc = l->piece ? 0 : -ENOMEM;
	}
	if (rc == 0 && sp->skip > 0) {
		l->waste = malloc(WASTE);
		rc = l->waste ? 0 : -ENOMEM;
	}
	if (rc == 0 && !sp->digest_is_of_output)
		rc = hasher_new(DIGEST_SHA256, &l->hasher);
	if (rc == 0)
		rc = sp->kind == SPAN_ZSTD ? zstd_new(&l->zstd) : gzip_new(INFLATE_FASTEST, &l->gzip);
	return rc;
}

static int load_decoded(const struct span *sp, struct source *blob, void *out, struct err *e)
{
	struct load l = {.span = sp, .blob = blob, .e = e, .out = out};
	struct digest digest;
	int rc = load_init(&l);

	if (rc == 0)
		rc = run(&l);
	if (rc == 0 && l.hasher) {
		hasher_finish(l.hasher, &digest);
		if (memcmp(digest.bytes, sp->digest, sizeof(sp->digest)))
			rc = corrupt(&l, "the compressed bytes have another digest");
	}
	if (rc == 0 && l.left > 0)
		rc = corrupt(&l, "the compressed bytes end too early");
	gzip_free(l.gzip);
	zstd_free(l.zstd);
	hasher_free(l.hasher);
	stream_close(l.stream);
	free(l.piece);
	free(l.waste);
	return rc;
}

static int check_output(const struct span *sp, const void *out, struct err *e)
{
	struct digest digest;
	int rc;

	if (sp->digest_is_of_output || sp->kind == SPAN_PLAIN) {
		rc = digest_of(DIGEST_SHA256, out, (size_t)sp->out_len, &digest);
		if (rc < 0)
			return rc;
		if (memcmp(digest.bytes, sp->digest, sizeof(sp->digest)))
			return err_set(e, -EBADMSG, "the span at decoded byte %llu has another digest",
				       (unsigned long long)sp->out);
	}
	if (sp->has_crc && checksum(0, out, (size_t)sp->out_len) != sp->crc)
		return err_set(e, -EBADMSG, "the span at decoded byte %llu has another checksum",
			       (unsigned long long)sp->out);
	return 0;
}

int span_load(const struct span *sp, struct source *blob, void *out, struct err *e)
{
	int rc;

	if (!span_is_sane(sp, blob->size))
		return err_set(e, -EBADMSG, "a span that cannot be");
	if (sp->kind == SPAN_PLAIN)
		rc = source_read_all(blob, out, (size_t)sp->out_len, sp->in, e);
	else
		rc = load_decoded(sp, blob, out, e);
	return rc < 0 ? rc : check_output(sp, out, e);
}

int span_check(const struct span *sp, const void *out)
{
	if (sp->has_crc)
		return checksum(0, out, (size_t)sp->out_len) == sp->crc ? 0 : -EBADMSG;
	if (!sp->digest_is_of_output && sp->kind != SPAN_PLAIN)
		return -EBADMSG; /* nothing to go by */
	return check_output(sp, out, NULL);
}

bool span_is_sane(const struct span *sp, uint64_t blob_size)
{
	uint64_t end;

	if (sp->kind > SPAN_ZSTD || sp->bits > 7 || (sp->bits > 0 && sp->kind != SPAN_DEFLATE))
		return false;
	if (sp->in_len == 0 || !range_fits(sp->in, sp->in_len, blob_size))
		return false;
	if (sp->out_len == 0 || sp->out_len > SPAN_OUT_MAX || !add_fits(sp->out, sp->out_len, &end))
		return false;
	if (sp->skip > sp->out)
		return false;
	if (sp->kind == SPAN_PLAIN && (sp->in_len != sp->out_len || sp->skip > 0))
		return false;
	if (sp->window_len > 0 && (!sp->window || sp->kind != SPAN_DEFLATE))
		return false;
	return true;
}
