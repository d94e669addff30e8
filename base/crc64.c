/* SPDX-License-Identifier: MIT */
/*
 * Eight bytes at a time: table[k] has the effect of a byte that k more bytes follow (M. E.
 * Kounavis, F. L. Berry, "A Systematic Approach to Building High Performance Software-based CRC
 * Generators", 2005). The 16 KiB are computed once.
 */
#include "base/crc64.h"

#include <pthread.h>

#include "base/num.h"

#define POLYNOMIAL UINT64_C(0xd800000000000000)

static uint64_t table[8][256];

static void make_table(void)
{
	uint64_t crc;
	unsigned i, k;

	for (i = 0; i < 256; i++) {
		crc = i;
		for (k = 0; k < 8; k++)
			crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
		table[0][i] = crc;
	}
	for (k = 1; k < 8; k++) {
		for (i = 0; i < 256; i++)
			table[k][i] = table[k - 1][i] >> 8 ^
				      table[0][table[k - 1][i] & 255];
	}
}

uint64_t crc64(uint64_t crc, const void *data, size_t len)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	const uint8_t *p = data;

	pthread_once(&once, make_table);
	crc = ~crc;
	for (; len >= 8; len -= 8, p += 8) {
		crc ^= get_le64(p);
		crc = table[7][crc & 255] ^ table[6][crc >> 8 & 255] ^
		      table[5][crc >> 16 & 255] ^ table[4][crc >> 24 & 255] ^
		      table[3][crc >> 32 & 255] ^ table[2][crc >> 40 & 255] ^
		      table[1][crc >> 48 & 255] ^ table[0][crc >> 56];
	}
	while (len-- > 0)
		crc = table[0][(crc ^ *p++) & 255] ^ crc >> 8;
	return ~crc;
}
