/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "tar/codec/window.h"
#include "tests/unit/makers.h"
#include "tests/unit/test.h"

static struct window w, back;
static uint8_t packed[WINDOW_PACKED_MAX];

static bool is_same(void)
{
	return w.len == back.len && memcmp(w.bytes, back.bytes, w.len) == 0;
}

/* A window with about @percent of bytes in runs of up to @run; the rest are zeros. */
static void fill(size_t len, unsigned percent, unsigned run)
{
	size_t i = 0;

	memset(&w, 0, sizeof(w));
	w.len = len;
	while (i < len) {
		size_t n = 1 + random_next() % run;
		bool used = random_next() % 100 < percent;

		for (; n > 0 && i < len; n--, i++)
			w.bytes[i] = used ? (uint8_t)(random_next() % 250 + 1) : 0;
	}
}

static void test_pack(void)
{
	static const size_t lens[] = {
		1, 2, 7, 8, 9, 300, 20000, INFLATE_WINDOW - 1, INFLATE_WINDOW};
	static const unsigned percents[] = {0, 3, 20, 50, 80, 100}, runs[] = {1, 4, 300};
	size_t i, k, m, len, wrong = 0;

	for (i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		for (k = 0; k < 6; k++) {
			for (m = 0; m < 3; m++) {
				fill(lens[i], percents[k], runs[m]);
				if (window_pack(&w, packed, &len) < 0 || len == 0 ||
				    window_unpack(packed, len, &back) < 0 || !is_same())
					wrong++;
			}
		}
	}
	is_int(wrong, 0, "what was packed comes back");
	w.len = 0;
	is_int(window_pack(&w, packed, &len), 0, "an empty window");
	is_int(len, 0, "takes no bytes");
	is_int(window_unpack(NULL, 0, &back), 0, "and comes back");
	is_int(back.len, 0, "empty");
	memset(&w, 0, sizeof(w));
	for (i = 0; i < INFLATE_WINDOW; i += 4)
		w.bytes[i] = (uint8_t)random_next() | 1;
	w.len = INFLATE_WINDOW;
	is_int(window_pack(&w, packed, &len), 0, "the most runs there can be");
	ok(window_unpack(packed, len, &back) == 0 && is_same(), "come back");
}

static void test_damaged(void)
{
	size_t len, cut, i, wrong = 0, accepted = 0;
	uint8_t raw[64], *p;

	fill(5000, 30, 20);
	window_pack(&w, packed, &len);
	for (cut = 1; cut < len; cut++)
		wrong += window_unpack(packed, cut, &back) != -EBADMSG;
	is_int(wrong, 0, "cut anywhere it is -EBADMSG");
	for (i = 0; i < len * 8; i++) {
		int rc;

		packed[i / 8] ^= (uint8_t)(1 << i % 8);
		rc = window_unpack(packed, len, &back);
		packed[i / 8] ^= (uint8_t)(1 << i % 8);
		if (rc == 0)
			accepted++;
		else if (rc != -EBADMSG)
			wrong++;
	}
	is_int(wrong, 0, "damaged it is -EBADMSG, or is another window (%zu of %zu)",
	       accepted, len * 8);
	packed[len] = 0;
	is_int(window_unpack(packed, len + 1, &back), -EBADMSG, "nothing may follow");

	/* the inner form, by hand: length 4; a gap of 1, a run of 2; the end */
	p = raw;
	memcpy(p,
	       "\x04\x01\x02\x00\x00"
	       "ab",
	       7);
	len = inflate_pack(raw, 7, packed, sizeof(packed));
	ok(window_unpack(packed, len, &back) == 0 && back.len == 4 &&
		   memcmp(back.bytes, "\0ab\0", 4) == 0,
	   "a run between zeros");
	memcpy(p,
	       "\x04\x01\x04\x00\x00"
	       "abcd",
	       9);
	len = inflate_pack(raw, 9, packed, sizeof(packed));
	is_int(window_unpack(packed, len, &back), -EBADMSG, "a run past the end");
	memcpy(p,
	       "\x04\x05\x01\x00\x00"
	       "a",
	       6);
	len = inflate_pack(raw, 6, packed, sizeof(packed));
	is_int(window_unpack(packed, len, &back), -EBADMSG, "a gap past the end");
	memcpy(p,
	       "\x04\x01\x02\x00\x00"
	       "a",
	       6);
	len = inflate_pack(raw, 6, packed, sizeof(packed));
	is_int(window_unpack(packed, len, &back), -EBADMSG, "a byte is missing");
	memcpy(p,
	       "\x04\x01\x02\x00\x00"
	       "abc",
	       8);
	len = inflate_pack(raw, 8, packed, sizeof(packed));
	is_int(window_unpack(packed, len, &back), -EBADMSG, "a byte too many");
	memcpy(p, "\x81\x80\x02\x00\x00", 5);
	len = inflate_pack(raw, 5, packed, sizeof(packed));
	is_int(window_unpack(packed, len, &back), -EBADMSG, "longer than a window");
	memcpy(p, "\x81\x80\x80\x80\x80\x00\x00", 7);
	len = inflate_pack(raw, 7, packed, sizeof(packed));
	is_int(window_unpack(packed, len, &back), -EBADMSG, "a number too long");
}

/* Deflates @len bytes with a dictionary, which is the window, into @out. */
static size_t deflate_after(const uint8_t *window, size_t window_len, const uint8_t *data,
			    size_t len, uint8_t *out, size_t room)
{
	z_stream s = {0};

	if (deflateInit2(&s, 9, Z_DEFLATED, -15, 8, 0) != Z_OK)
		exit(1);
	deflateSetDictionary(&s, window, (uInt)window_len);
	s.next_in = (Bytef *)(uintptr_t)data;
	s.avail_in = (uInt)len;
	s.next_out = out;
	s.avail_out = (uInt)room;
	if (deflate(&s, Z_FINISH) != Z_STREAM_END)
		exit(1);
	deflateEnd(&s);
	return room - s.avail_out;
}

static void test_strip(void)
{
	static uint8_t data[2000], out[4000], truth[INFLATE_WINDOW];
	struct inflate *probe = NULL;
	size_t i, len, wrong;
	int engine;

	for (i = 0; i < sizeof(truth); i++)
		truth[i] = (uint8_t)(random_next() | 1);
	/* 50 bytes of the window at 1000, new ones, 40 at 30000, the first 50 again */
	for (i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)random_next();
	memcpy(data + 100, truth + 1000, 50);
	memcpy(data + 500, truth + 30000, 40);
	memcpy(data + 900, data + 100, 50);
	len = deflate_after(truth, sizeof(truth), data, sizeof(data), out, sizeof(out));

	for (engine = 0; engine < 2; engine++) {
		if (inflate_new((enum inflate_choice)engine, &probe) < 0)
			exit(1);
		memcpy(w.bytes, truth, sizeof(truth));
		w.len = sizeof(truth);
		is_int(window_strip(&w, probe, out, len, 0, data, sizeof(data)), 0,
		       "strip");
		ok(w.len <= sizeof(truth) - 990 && w.len >= sizeof(truth) - 1010,
		   "what is before the first byte in use is gone (%zu)", w.len);
		wrong = 0;
		for (i = 0; i < w.len; i++) {
			size_t at = sizeof(truth) - w.len + i;
			bool in_use = (at >= 1000 && at < 1050) ||
				      (at >= 30000 && at < 30040);
			/* a match of three bytes may be found by chance, or end earlier */
			if (in_use ? w.bytes[i] != truth[at] && w.bytes[i] != 0
				   : w.bytes[i] != 0)
				wrong++;
		}
		ok(wrong <= 40, "nothing else is left (%zu)", wrong);
		memcpy(w.bytes, truth, sizeof(truth));
		w.len = sizeof(truth);
		is_int(window_strip(&w, probe, out, len / 2, 0, data, sizeof(data)),
		       -EBADMSG, "input that does not give the output");
		ok(w.len == sizeof(truth) && memcmp(w.bytes, truth, w.len) == 0,
		   "changes nothing");
		inflate_free(probe);
		probe = NULL;
	}
}

int main(void)
{
	test_pack();
	test_damaged();
	test_strip();
	return test_done();
}
