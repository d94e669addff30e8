/* SPDX-License-Identifier: MIT */
/*
 * Which bytes does a span refer to? It is decoded twice with windows that are not the
 * true one: each byte of the first is the low half of its own position, each byte of
 * the second the high half, with the top bit chosen so that it differs from the true
 * byte. Where the second decoding differs from the true output, the byte came from
 * the window, however often it was copied on the way, and the two tell from where.
 */
#include "tar/window.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct trace {
	uint8_t window[INFLATE_WINDOW];
	uint8_t low[INFLATE_WINDOW];
	uint8_t high[INFLATE_WINDOW];
	bool is_used[INFLATE_WINDOW];
};

static int decode(struct inflate *probe, const uint8_t *window, size_t window_len,
		  const uint8_t *in, size_t in_len, unsigned bits, uint8_t *out, size_t out_len)
{
	struct flow flow = {in, in_len, out, out_len};
	int rc;

	if (bits > 0 && in_len == 0)
		return -EBADMSG;
	if (bits > 0) {
		rc = inflate_start(probe, window, window_len, 8 - bits, (unsigned)in[0] >> bits);
		flow.in++;
		flow.in_len--;
	} else {
		rc = inflate_start(probe, window, window_len, 0, 0);
	}
	while (rc == 0 && flow.out_len > 0) {
		size_t before = flow.out_len;

		rc = inflate_run(probe, &flow, false);
		if (rc == INFLATE_MORE && flow.out_len == before)
			return -EBADMSG;
	}
	if (rc < 0)
		return rc;
	return flow.out_len > 0 ? -EBADMSG : 0;
}

static void strip(struct window *w, const bool *is_used)
{
	size_t i, first = 0;

	while (first < w->len && !is_used[first])
		first++;
	for (i = first; i < w->len; i++) {
		if (!is_used[i])
			w->bytes[i] = 0;
	}
	w->len -= first;
	memmove(w->bytes, w->bytes + first, w->len);
}

int window_strip(struct window *w, struct inflate *probe, const uint8_t *in, size_t in_len,
		 unsigned bits, const uint8_t *out, size_t out_len)
{
	struct trace *t = malloc(sizeof(*t));
	size_t i;
	int rc;

	if (!t)
		return -ENOMEM;
	memset(t->is_used, 0, sizeof(t->is_used));
	for (i = 0; i < w->len; i++)
		t->window[i] = (uint8_t)i;
	rc = decode(probe, t->window, w->len, in, in_len, bits, t->low, out_len);
	if (rc < 0)
		goto out;
	for (i = 0; i < w->len; i++)
		t->window[i] = (uint8_t)(i >> 8 | (~w->bytes[i] & 0x80));
	rc = decode(probe, t->window, w->len, in, in_len, bits, t->high, out_len);
	if (rc < 0)
		goto out;
	for (i = 0; i < out_len; i++) {
		size_t from = (size_t)(t->high[i] & 0x7f) << 8 | t->low[i];

		if (t->high[i] == out[i])
			continue;
		if (from >= w->len) {
			rc = -EBADMSG;
			goto out;
		}
		t->is_used[from] = true;
	}
	strip(w, t->is_used);
out:
	free(t);
	return rc;
}

size_t window_pack(const struct window *w, uint8_t *out)
{
	if (w->len == 0)
		return 0;
	return inflate_pack(w->bytes, w->len, out, WINDOW_PACKED_MAX);
}

int window_unpack(const void *packed, size_t len, struct window *w)
{
	struct flow flow = {packed, len, w->bytes, sizeof(w->bytes)};
	struct inflate *f = NULL;
	int rc = 0;

	w->len = 0;
	if (len == 0)
		return 0;
	rc = inflate_new(INFLATE_ZLIB, &f);
	if (rc < 0)
		return rc;
	rc = inflate_start(f, NULL, 0, 0, 0);
	if (rc == 0)
		rc = inflate_run(f, &flow, false);
	if (rc >= 0 && (rc != INFLATE_END || flow.in_len > 0))
		rc = -EBADMSG;
	if (rc >= 0)
		w->len = sizeof(w->bytes) - flow.out_len;
	inflate_free(f);
	return rc < 0 ? rc : 0;
}
