/* SPDX-License-Identifier: MIT */
/*
 * A span is fetched in pieces of at most FETCH_MAX bytes, which go through the hash and
 * the decoder: one piece and one request for all but unusual spans. A part of a long zstd
 * frame needs everything before it, so the frame is read as a stream.
 */
#include "tar/codec/span.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/err.h"
#include "base/num.h"
#include "base/source.h"
#include "tar/codec/checksum.h"
#include "tar/codec/gzip.h"
#include "tar/codec/window.h"
#include "tar/codec/zstd.h"

#define FETCH_MAX (16u * 1024 * 1024)
#define WASTE	  (128 * 1024) /* buffer for output that is skipped */

/* The state of loading one span, or several with the same input. */
struct load {
	const struct span *span;
	struct source *blob;
	struct err *e;
	struct gzip *gzip; /* either this or zstd */
	struct zstd *zstd;
	struct hasher *hasher; /* of the compressed bytes, if the digest is theirs */
	struct stream *stream;
	uint8_t *piece;	 /* unless stream is used */
	size_t room;	 /* size of piece */
	uint64_t in_len; /* compressed bytes of the whole load */
	uint64_t fetched;
	struct flow flow; /* fetched bytes that are not used up */
	uint64_t skip;	  /* output still to be discarded */
	uint8_t *waste;
	uint8_t *out; /* position of the next byte */
	size_t left;
};

static int load_corrupt(struct load *l, const char *what)
{
	return err_set(l->e, -EBADMSG, "%s, in the span at decoded byte %llu", what,
		       (unsigned long long)l->span->out);
}

/*
 * Gets the next compressed bytes. Returns their number, 0 at the end of the span's input.
 */
static ssize_t load_fetch(struct load *l, const uint8_t **data)
{
	uint64_t left = l->in_len - l->fetched;
	ssize_t n;

	if (left == 0)
		return 0;
	if (l->stream) {
		const void *lent = NULL;

		n = stream_next(l->stream, &lent, l->e);
		if (n == 0)
			return load_corrupt(l, "the layer ends too early");
		*data = lent;
		if (n > 0 && (uint64_t)n > left)
			n = (ssize_t)left;
	} else {
		int rc;

		n = (ssize_t)(left < l->room ? left : l->room);
		rc = source_read_all(l->blob, l->piece, (size_t)n,
				     l->span->in + l->fetched, l->e);
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

/* Decodes the fetched bytes, up to the end of the span's output. */
static int load_decode(struct load *l)
{
	struct flow *flow = &l->flow;

	for (;;) {
		bool wasted = l->skip > 0;
		size_t room = wasted ? (l->skip < WASTE ? (size_t)l->skip : WASTE)
				     : l->left;
		int rc;

		if (room == 0)
			return 0;
		flow->out = wasted ? l->waste : l->out;
		flow->out_len = room;
		rc = l->gzip ? gzip_run(l->gzip, flow, false, l->e)
			     : zstd_run(l->zstd, flow, l->e);
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
static int load_start_block(struct load *l, struct flow *flow)
{
	const struct span *sp = l->span;
	struct window *w = malloc(sizeof(*w));
	unsigned value = 0;
	int rc;

	if (!w)
		return -ENOMEM;
	rc = window_unpack(sp->window, sp->window ? sp->window_len : 0, w);
	if (rc < 0) {
		rc = load_corrupt(l, "a damaged window");
		goto out;
	}
	if (sp->bits > 0) {
		value = (unsigned)*flow->in++ >> sp->bits;
		flow->in_len--;
	}
	rc = gzip_start_block(l->gzip, w->bytes, w->len, sp->bits > 0 ? 8u - sp->bits : 0,
			      value);
out:
	free(w);
	return rc;
}

/*
 * Runs until the span's output is complete and, if the digest is of the input, all input
 * was read.
 */
static int load_run(struct load *l)
{
	bool is_first = l->span->kind == SPAN_DEFLATE && l->fetched == 0;
	const uint8_t *data = NULL;
	ssize_t n;
	int rc = 0;

	if (l->fetched > 0)
		rc = load_decode(l);
	while (rc == 0 && (l->left > 0 || l->hasher)) {
		n = load_fetch(l, &data);
		if (n <= 0)
			return (int)n;
		l->flow.in = data;
		l->flow.in_len = (size_t)n;
		rc = is_first ? load_start_block(l, &l->flow) : 0;
		is_first = false;
		if (rc == 0)
			rc = load_decode(l);
	}
	return rc;
}

/*
 * @is_one_of_many: the load is for several spans with the same input of @in_len bytes,
 * each decoded from where the last one ended.
 */
static int load_init(struct load *l, uint64_t in_len, bool is_one_of_many)
{
	const struct span *sp = l->span;
	int rc = 0;

	l->in_len = in_len;
	l->room = in_len < FETCH_MAX ? (size_t)in_len : FETCH_MAX;
	if (in_len > FETCH_MAX && (sp->skip > 0 || is_one_of_many)) {
		rc = source_stream(l->blob, sp->in, &l->stream, l->e);
	} else {
		l->piece = malloc(l->room);
		rc = l->piece ? 0 : -ENOMEM;
	}
	if (rc == 0 && !l->waste && (sp->skip > 0 || is_one_of_many)) {
		l->waste = malloc(WASTE);
		rc = l->waste ? 0 : -ENOMEM;
	}
	if (rc == 0 && !sp->digest_is_of_output)
		rc = hasher_new(DIGEST_SHA256, &l->hasher);
	if (rc == 0)
		rc = sp->kind == SPAN_ZSTD ? zstd_new(&l->zstd)
					   : gzip_new(INFLATE_FASTEST, &l->gzip);
	return rc;
}

static void load_release(struct load *l)
{
	gzip_free(l->gzip);
	zstd_free(l->zstd);
	hasher_free(l->hasher);
	stream_close(l->stream);
	free(l->piece);
	free(l->waste);
}

/*
 * Continues decoding from the current position, @made bytes behind the start of the
 * input.
 */
static int load_next(struct load *l, const struct span *sp, uint64_t made, void *out)
{
	int rc;

	l->span = sp;
	l->skip = sp->skip - made;
	l->out = out;
	l->left = (size_t)sp->out_len;
	rc = load_run(l);
	if (rc == 0 && l->left > 0)
		rc = load_corrupt(l, "the compressed bytes end too early");
	return rc;
}

static int load_decoded(const struct span *sp, struct source *blob, void *out,
			struct err *e)
{
	struct load l = {.span = sp, .blob = blob, .e = e};
	struct digest digest;
	int rc = load_init(&l, sp->in_len, false);

	if (rc == 0)
		rc = load_next(&l, sp, 0, out);
	if (rc == 0 && l.hasher) {
		hasher_finish(l.hasher, &digest);
		if (memcmp(digest.bytes, sp->digest, sizeof(sp->digest)) != 0)
			rc = load_corrupt(&l, "the compressed bytes have another digest");
	}
	load_release(&l);
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
		if (memcmp(digest.bytes, sp->digest, sizeof(sp->digest)) != 0)
			return err_set(e, -EBADMSG,
				       "the span at decoded byte %llu has another digest",
				       (unsigned long long)sp->out);
	}
	if (sp->has_crc && checksum(0, out, (size_t)sp->out_len) != sp->crc)
		return err_set(e, -EBADMSG,
			       "the span at decoded byte %llu has another checksum",
			       (unsigned long long)sp->out);
	return 0;
}

int span_load(const struct span *sp, struct source *blob, void *out, struct err *e)
{
	int rc;

	if (!span_is_sane(sp, blob->size))
		return err_set(e, -EBADMSG, "an invalid span");
	if (sp->kind == SPAN_PLAIN)
		rc = source_read_all(blob, out, (size_t)sp->out_len, sp->in, e);
	else
		rc = load_decoded(sp, blob, out, e);
	return rc < 0 ? rc : check_output(sp, out, e);
}

/* A later part of a zstd frame needs more of its input. */
static bool may_follow(const struct span *sp, const struct span *before)
{
	return sp->in == before->in && sp->in_len >= before->in_len &&
	       sp->kind == before->kind && sp->skip >= before->skip + before->out_len;
}

int span_load_parts(const struct span *spans, size_t n, struct source *blob,
		    span_give_fn *give, void *arg, struct err *e)
{
	struct load l = {.span = spans, .blob = blob, .e = e};
	uint64_t made = 0, longest = 0;
	void *out = NULL;
	size_t i;
	int rc = 0;

	for (i = 0; i < n; i++) {
		if (!span_is_sane(&spans[i], blob->size) ||
		    !spans[i].digest_is_of_output ||
		    (i > 0 && !may_follow(&spans[i], &spans[i - 1])))
			return err_set(e, -EBADMSG, "invalid spans");
		if (spans[i].out_len > longest)
			longest = spans[i].out_len;
	}
	out = malloc(longest + 1);
	rc = out ? load_init(&l, spans[n - 1].in_len, true) : -ENOMEM;
	for (i = 0; rc == 0 && i < n; i++) {
		rc = load_next(&l, &spans[i], made, out);
		made = spans[i].skip + spans[i].out_len;
		if (rc == 0)
			rc = check_output(&spans[i], out, e);
		if (rc == 0)
			rc = give(arg, i, out);
	}
	free(out);
	load_release(&l);
	return rc;
}

bool span_can_check(const struct span *sp)
{
	return sp->has_crc || sp->digest_is_of_output || sp->kind == SPAN_PLAIN;
}

int span_check(const struct span *sp, const void *out)
{
	if (sp->has_crc)
		return checksum(0, out, (size_t)sp->out_len) == sp->crc ? 0 : -EBADMSG;
	return span_can_check(sp) ? check_output(sp, out, NULL) : -EBADMSG;
}

bool span_is_sane(const struct span *sp, uint64_t blob_size)
{
	uint64_t end;

	if (sp->kind > SPAN_ZSTD || sp->bits > 7 ||
	    (sp->bits > 0 && sp->kind != SPAN_DEFLATE))
		return false;
	if (sp->in_len == 0 || !range_fits(sp->in, sp->in_len, blob_size))
		return false;
	if (sp->out_len == 0 || sp->out_len > SPAN_OUT_MAX ||
	    !add_fits(sp->out, sp->out_len, &end))
		return false;
	/*
	 * In a layer of chunks, the bytes between chunks are no part of the decoded
	 * bytes.
	 */
	if (sp->skip > (sp->digest_is_of_output ? SPAN_OUT_MAX + sp->out : sp->out))
		return false;
	if (sp->kind == SPAN_PLAIN && (sp->in_len != sp->out_len || sp->skip > 0))
		return false;
	if (sp->window_len > 0 && (!sp->window || sp->kind != SPAN_DEFLATE))
		return false;
	return true;
}
