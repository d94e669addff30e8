/* SPDX-License-Identifier: MIT */
/* Values of Go's hash/crc64 (its crc64_test.go, ISO). */
#include "base/crc64.h"

#include "tests/unit/test.h"

/* A bit at a time. */
static uint64_t slow(const uint8_t *p, size_t len)
{
	uint64_t crc = ~UINT64_C(0);
	int k;

	while (len-- > 0) {
		crc ^= *p++;
		for (k = 0; k < 8; k++)
			crc = crc & 1 ? crc >> 1 ^ UINT64_C(0xd800000000000000)
				      : crc >> 1;
	}
	return ~crc;
}

int main(void)
{
	static const struct {
		uint64_t crc;
		const char *text;
	} rows[] = {
		{0x0, ""},
		{0x3420000000000000, "a"},
		{0x36c4200000000000, "ab"},
		{0x3776c42000000000, "abc"},
		{0x336776c420000000, "abcd"},
		{0x32d36776c4200000, "abcde"},
		{0x3002d36776c42000, "abcdef"},
		{0x31b002d36776c420, "abcdefg"},
		{0x0e21b002d36776c4, "abcdefgh"},
		{0x8b6e21b002d36776, "abcdefghi"},
		{0x7f5b6e21b002d367, "abcdefghij"},
	};
	uint8_t bytes[300];
	size_t i, k;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ok(crc64(0, rows[i].text, strlen(rows[i].text)) == rows[i].crc, "\"%s\"",
		   rows[i].text);
	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * i + 7);
	for (i = 0; i < sizeof(bytes); i += 13) {
		k = i / 3;
		ok(crc64(crc64(0, bytes, k), bytes + k, i - k) == slow(bytes, i),
		   "%zu bytes in two parts", i);
	}
	return test_done();
}
