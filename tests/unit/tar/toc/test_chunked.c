/* SPDX-License-Identifier: MIT */
#include "tar/toc/chunked.h"

#include <errno.h>

#include "base/err.h"
#include "tests/unit/test.h"

static void test_positions(void)
{
	static const struct {
		const char *text;
		int code;
		uint64_t off, len, json_len;
	} rows[] = {
		{"63298727:707386:3917671:1", 0, 63298727, 707386, 3917671},
		{"0:0:0:1", 0, 0, 0, 0},
		{"1:2:3:2", -ENOTSUP, 0, 0, 0},
		{"1:2:3", -EBADMSG, 0, 0, 0},
		{"1:2:3:1:5", -EBADMSG, 0, 0, 0},
		{"1:2:3:1:", -EBADMSG, 0, 0, 0},
		{"1:2::1", -EBADMSG, 0, 0, 0},
		{"1:-2:3:1", -EBADMSG, 0, 0, 0},
		{"1: 2:3:1", -EBADMSG, 0, 0, 0},
		{"9223372036854775808:2:3:1", -EBADMSG, 0, 0, 0},
		{"", -EBADMSG, 0, 0, 0},
	};
	struct chunked_place p;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		p = (struct chunked_place){0};
		is_int(chunked_parse_position(rows[i].text, &p, NULL), rows[i].code,
		       "\"%s\"", rows[i].text);
		ok(p.off == rows[i].off && p.len == rows[i].len &&
			   p.json_len == rows[i].json_len,
		   "and what it says");
	}
}

static void test_footers(void)
{
	char bytes[80] = {0};
	char *at = bytes + 80 - 64;
	struct chunked_place p = {0};

	at[0] = 7;
	at[9] = 1;
	at[16] = 9;
	at[24] = 1;
	memcpy(at + 56, "GNUlInUx", 8);
	ok(chunked_find_footer(bytes, 80, &p) && p.off == 7 && p.len == 256 &&
		   p.json_len == 9,
	   "64 bytes");
	ok(chunked_find_footer(at, 64, &p), "alone");
	ok(!chunked_find_footer(at + 1, 63, &p), "not cut");
	at[24] = 2;
	ok(!chunked_find_footer(bytes, 80, &p), "not of another type");
	memset(bytes, 0, sizeof(bytes));
	at = bytes + 80 - 40;
	at[0] = 7;
	at[24] = 1;
	memcpy(at + 32, "GnUlInUx", 8);
	ok(chunked_find_footer(bytes, 80, &p) && p.off == 7 && p.len == 0, "40 bytes");
	ok(!chunked_find_footer(at + 1, 39, &p), "not cut");
	at[33] = 'X';
	ok(!chunked_find_footer(bytes, 80, &p), "not another word");
	ok(!chunked_find_footer(bytes, 0, &p), "nothing is none");
}

int main(void)
{
	test_positions();
	test_footers();
	return test_done();
}
