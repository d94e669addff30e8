/* SPDX-License-Identifier: MIT */
/*
 * To find the bytes that a span refers to, it is decoded twice with windows that are not
 * the true one. Each byte of the first window is the low half of its own position. Each
 * byte of the second is the high half, with the top bit chosen so that it differs from
 * the true byte. Where the second output differs from the true output, the byte came from
 * the window, however often it was copied on the way, and the two outputs tell from
 * where.
 *
 * The packed form of a window is a raw deflate stream of this:
 *
 *	number		its length
 *	number, number	for each run: the zeros before it, its bytes
 *	0, 0
 *	bytes of all runs
 *
 * A number has 7 bits in each byte, the lowest first; all bytes but the last have the top
 * bit set. The zeros are taken out because deflate is slow at compressing them, and not
 * better. On root file systems a span refers to 3.5 KB of its window, which take 2.4 KB.
 */
#include "tar/codec/window.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Fewer zeros are cheaper as bytes of a run. */
#define GAP_MIN 3
/*
 * A run and its gap have at least GAP_MIN + 1 bytes. They cost two bytes more than the
 * run, or four if one of them is long. That is never more than they cover, except for the
 * first run and for numbers of three bytes.
 */
_Static_assert(WINDOW_RUNS_MAX >= INFLATE_WINDOW + 16, "see above");

struct trace {
	uint8_t window[INFLATE_WINDOW];
	uint8_t low[INFLATE_WINDOW];
	uint8_t high[INFLATE_WINDOW];
	/* 0xff for a byte that the span refers to, else 0 */
	uint8_t used[INFLATE_WINDOW];
};

/* This runs for each span. At eight bytes at a time its cost does not matter. */
#define WORD	     sizeof(uint64_t)
#define EACH_BYTE(v) ((v)*0x0101010101010101u)

static uint64_t get_word(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, WORD);
	return v;
}

static int probe_decode(struct inflate *probe, const uint8_t *window, size_t window_len,
			const uint8_t *in, size_t in_len, unsigned bits, uint8_t *out,
			size_t out_len)
{
	struct flow flow = {in, in_len, out, out_len};
	int rc;

	if (bits > 0 && in_len == 0)
		return -EBADMSG;
	if (bits > 0) {
		rc = inflate_start(probe, window, window_len, 8 - bits,
				   (unsigned)in[0] >> bits);
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

/* Each byte is its own position modulo 256. */
static void mark_low(uint8_t *window)
{
	size_t i;

	for (i = 0; i < 256; i++)
		window[i] = (uint8_t)i;
	for (; i < INFLATE_WINDOW; i += 256)
		memcpy(window + i, window, 256);
}

/* Each byte is its position / 256, with the opposite of the top bit of @bytes. */
static void mark_high(uint8_t *window, const uint8_t *bytes)
{
	size_t i;

	for (i = 0; i < INFLATE_WINDOW; i += WORD) {
		uint64_t v = EACH_BYTE((uint64_t)i >> 8) |
			     (~get_word(bytes + i) & EACH_BYTE(0x80));

		memcpy(window + i, &v, WORD);
	}
}

/* -EBADMSG if the output names a position outside the window. */
static int find_used(struct trace *t, size_t window_len, const uint8_t *out,
		     size_t out_len)
{
	size_t i = 0;

	memset(t->used, 0, sizeof(t->used));
	while (i < out_len) {
		if (out_len - i >= WORD && get_word(t->high + i) == get_word(out + i)) {
			i += WORD;
			continue;
		}
		if (t->high[i] != out[i]) {
			size_t from = (size_t)(t->high[i] & 0x7f) << 8 | t->low[i];

			if (from >= window_len)
				return -EBADMSG;
			t->used[from] = 0xff;
		}
		i++;
	}
	return 0;
}

static void window_zero_unused(struct window *w, const uint8_t *used)
{
	size_t i, first = 0;

	for (i = 0; i < INFLATE_WINDOW; i += WORD) {
		uint64_t v = get_word(w->bytes + i) & get_word(used + i);

		memcpy(w->bytes + i, &v, WORD);
	}
	while (first < w->len && !used[first])
		first++;
	w->len -= first;
	memmove(w->bytes, w->bytes + first, w->len);
}

int window_strip(struct window *w, struct inflate *probe, const uint8_t *in,
		 size_t in_len, unsigned bits, const uint8_t *out, size_t out_len)
{
	struct trace *t = malloc(sizeof(*t));
	int rc;

	if (!t)
		return -ENOMEM;
	mark_low(t->window);
	rc = probe_decode(probe, t->window, w->len, in, in_len, bits, t->low, out_len);
	if (rc < 0)
		goto out;
	mark_high(t->window, w->bytes);
	rc = probe_decode(probe, t->window, w->len, in, in_len, bits, t->high, out_len);
	if (rc < 0)
		goto out;
	rc = find_used(t, w->len, out, out_len);
	if (rc == 0)
		window_zero_unused(w, t->used);
out:
	free(t);
	return rc;
}

static uint8_t *put_number(uint8_t *p, size_t v)
{
	for (; v >= 0x80; v >>= 7)
		*p++ = (uint8_t)(v | 0x80);
	*p++ = (uint8_t)v;
	return p;
}

static int get_number(const uint8_t **p, const uint8_t *end, size_t *v)
{
	unsigned shift;

	*v = 0;
	for (shift = 0; *p < end && shift <= 14; shift += 7) {
		*v |= (size_t)(**p & 0x7f) << shift;
		if (!(*(*p)++ & 0x80))
			return 0;
	}
	return -EBADMSG;
}

/* The end of the run that begins at @at: where zeros begin, or the window ends. */
static size_t run_end(const struct window *w, size_t at)
{
	size_t i, zeros = 0;

	for (i = at; i < w->len && zeros < GAP_MIN; i++)
		zeros = w->bytes[i] == 0 ? zeros + 1 : 0;
	return i - zeros;
}

/*
 * Returns the length of the inner form. @bytes is scratch space for the bytes of the
 * runs.
 */
static size_t pack_runs(const struct window *w, uint8_t *raw, uint8_t *bytes)
{
	uint8_t *p = put_number(raw, w->len);
	size_t at = 0, begin = 0, n = 0;

	for (;;) {
		while (w->len - begin >= WORD && get_word(w->bytes + begin) == 0)
			begin += WORD;
		while (begin < w->len && w->bytes[begin] == 0)
			begin++;
		if (begin == w->len)
			break;
		p = put_number(p, begin - at);
		at = run_end(w, begin);
		p = put_number(p, at - begin);
		memcpy(bytes + n, w->bytes + begin, at - begin);
		n += at - begin;
		begin = at;
	}
	p = put_number(put_number(p, 0), 0);
	memcpy(p, bytes, n);
	return (size_t)(p - raw) + n;
}

ssize_t window_write_runs(const struct window *w, uint8_t *out)
{
	uint8_t *scratch;
	size_t len;

	if (w->len == 0)
		return 0;
	scratch = malloc(INFLATE_WINDOW);
	if (!scratch)
		return -ENOMEM;
	len = pack_runs(w, out, scratch);
	free(scratch);
	return (ssize_t)len;
}

int window_pack(const struct window *w, uint8_t *out, size_t *len)
{
	uint8_t *raw;

	*len = 0;
	if (w->len == 0)
		return 0;
	raw = malloc(WINDOW_RUNS_MAX + INFLATE_WINDOW);
	if (!raw)
		return -ENOMEM;
	*len = inflate_pack(raw, pack_runs(w, raw, raw + WINDOW_RUNS_MAX), out,
			    WINDOW_PACKED_MAX);
	free(raw);
	return *len == 0 ? -ENOMEM : 0;
}

/* Parses the inner form, after deflate was removed. */
static int unpack_runs(const uint8_t *p, const uint8_t *end, struct window *w)
{
	const uint8_t *runs = p, *bytes;
	size_t gap, n, at = 0;

	memset(w->bytes, 0, sizeof(w->bytes));
	if (get_number(&runs, end, &w->len) < 0 || w->len > sizeof(w->bytes))
		return -EBADMSG;
	p = runs;
	do {
		if (get_number(&p, end, &gap) < 0 || get_number(&p, end, &n) < 0)
			return -EBADMSG;
	} while (n > 0);
	bytes = p;
	for (;;) {
		if (get_number(&runs, end, &gap) < 0 || get_number(&runs, end, &n) < 0)
			return -EBADMSG;
		if (n == 0)
			return bytes == end ? 0 : -EBADMSG;
		if (gap > w->len - at || n > w->len - at - gap ||
		    n > (size_t)(end - bytes))
			return -EBADMSG;
		memcpy(w->bytes + at + gap, bytes, n);
		at += gap + n;
		bytes += n;
	}
}

int window_read_runs(const uint8_t *data, size_t len, struct window *w)
{
	w->len = 0;
	return len == 0 ? 0 : unpack_runs(data, data + len, w);
}

int window_unpack(const void *packed, size_t len, struct window *w)
{
	uint8_t *raw = NULL;
	struct inflate *f = NULL;
	struct flow flow = {packed, len, NULL, WINDOW_RUNS_MAX};
	int rc;

	w->len = 0;
	if (len == 0)
		return 0;
	rc = inflate_new(INFLATE_ZLIB, &f);
	if (rc < 0)
		return rc;
	rc = inflate_start(f, NULL, 0, 0, 0);
	flow.out = raw = malloc(WINDOW_RUNS_MAX);
	if (!raw)
		rc = -ENOMEM;
	if (rc == 0)
		rc = inflate_run(f, &flow, false);
	if (rc >= 0)
		rc = rc == INFLATE_END && flow.in_len == 0 ? unpack_runs(raw, flow.out, w)
							   : -EBADMSG;
	inflate_free(f);
	free(raw);
	return rc;
}
