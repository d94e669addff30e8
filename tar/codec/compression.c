/* SPDX-License-Identifier: MIT */
#include "tar/codec/compression.h"

#include <stdint.h>
#include <string.h>

#include "base/num.h"

enum compression compression_of(const void *data, size_t len)
{
	static const uint8_t gzip[] = {0x1f, 0x8b}, zstd[] = {0x28, 0xb5, 0x2f, 0xfd};
	const uint8_t *p = data;

	if (len >= 2 && memcmp(p, gzip, 2) == 0)
		return COMPRESSION_GZIP;
	if (len >= 4 && memcmp(p, zstd, 4) == 0)
		return COMPRESSION_ZSTD;
	/* a skippable frame */
	if (len >= 4 && (get_le32(p) & ~0xfu) == 0x184d2a50)
		return COMPRESSION_ZSTD;
	return COMPRESSION_PLAIN;
}
