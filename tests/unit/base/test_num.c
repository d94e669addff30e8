/* SPDX-License-Identifier: MIT */
#include "base/num.h"
#include "tests/unit/test.h"

#define BAD UINT64_C(77) /* what is in the output before, and stays after a failure */

static void test_parse(void)
{
	static const struct {
		const char *text;
		uint64_t max, value;
	} rows[] = {
		{"0", 0, 0},
		{"00012", 12, 12},
		{"12", 11, BAD},
		{"9", 8, BAD},
		{"10", 9, BAD},
		{"18446744073709551615", UINT64_MAX, UINT64_MAX},
		{"18446744073709551616", UINT64_MAX, BAD},
		{"99999999999999999999999", UINT64_MAX, BAD},
		{"18446744073709551615", UINT64_MAX - 1, BAD},
		{"", UINT64_MAX, BAD},
		{"-1", UINT64_MAX, BAD},
		{"+1", UINT64_MAX, BAD},
		{" 1", UINT64_MAX, BAD},
		{"1 ", UINT64_MAX, BAD},
		{"1x", UINT64_MAX, BAD},
		{"0x1", UINT64_MAX, BAD},
		{"\xb2", UINT64_MAX, BAD},
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t v = BAD;
		bool good = num_parse(rows[i].text, strlen(rows[i].text), rows[i].max,
				      &v);

		ok(good == (rows[i].value != BAD) && v == rows[i].value,
		   "\"%s\" up to %llu", rows[i].text, (unsigned long long)rows[i].max);
	}
}

static void test_parse_size(void)
{
	static const struct {
		const char *text;
		uint64_t value;
	} rows[] = {
		{"0", 0},
		{"1", 1},
		{"1k", 1024},
		{"3M", 3 << 20},
		{"10g", UINT64_C(10) << 30},
		{"2T", UINT64_C(2) << 40},
		{"16777215T", UINT64_C(16777215) << 40},
		{"16777216T", BAD},
		{"18014398509481984K", BAD},
		{"K", BAD},
		{"", BAD},
		{"1KB", BAD},
		{"1P", BAD},
		{"1 ", BAD},
		{"-1K", BAD},
		{"1.5G", BAD},
		{"1+", BAD},
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t v = BAD;
		bool good = num_parse_size(rows[i].text, &v);

		ok(good == (rows[i].value != BAD) && v == rows[i].value, "size \"%s\"",
		   rows[i].text);
	}
}

static void test_arithmetic(void)
{
	static const uint8_t bytes[] = {0,    0x01, 0x02, 0x83, 0x04,
					0x05, 0x06, 0x07, 0x88};
	uint64_t v = BAD;

	is_int(get_le16(bytes + 1), 0x0201, "16 bits, unaligned");
	is_int(get_le32(bytes + 1), 0x04830201, "32 bits");
	ok(get_le64(bytes + 1) == UINT64_C(0x8807060504830201), "64 bits");
	ok(add_fits(UINT64_MAX, 0, &v) && v == UINT64_MAX, "a sum that just fits");
	v = BAD;
	ok(!add_fits(UINT64_MAX, 1, &v) && v == BAD, "one that does not");
	ok(add_sizes(3, 4) == 7, "sizes");
	ok(add_sizes(INT64_MAX, 1) == INT64_MAX, "no more than any file has");
	ok(add_sizes(INT64_MAX, UINT64_MAX) == INT64_MAX, "nor by wrapping around");
	ok(range_fits(0, 0, 0), "nothing in nothing");
	ok(range_fits(10, 0, 10), "nothing at the end");
	ok(!range_fits(11, 0, 10), "nothing behind the end");
	ok(range_fits(3, 7, 10), "up to the end");
	ok(!range_fits(3, 8, 10), "past the end");
	ok(!range_fits(3, UINT64_MAX - 1, 10), "a length that would wrap around");
	ok(!range_fits(UINT64_MAX, 2, 10), "an offset that would");
	is_int(round_up(0, 8), 0, "zero is round");
	is_int(round_up(1, 8), 8, "up");
	is_int(round_up(8, 8), 8, "stays");
	is_int(round_up(4097, 4096), 8192, "pages");
}

int main(void)
{
	test_parse();
	test_parse_size();
	test_arithmetic();
	return test_done();
}
