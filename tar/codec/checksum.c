/* SPDX-License-Identifier: MIT */
#include "tar/codec/checksum.h"

#include "tar/codec/inflate.h"
#include "tar/codec/isal.h"

uint32_t checksum(uint32_t crc, const void *data, size_t len)
{
	return isal_is_there() ? isal_crc(crc, data, len) : inflate_crc(crc, data, len);
}

uint32_t checksum_join(uint32_t first, uint32_t second, uint64_t second_len)
{
	return second_len > 0 ? inflate_crc_join(first, second, second_len) : first;
}

/*
 * The CRC of both is the CRC of the first, shifted, plus the CRC of the second. Minus is
 * the same as plus, because both are xor.
 */
uint32_t checksum_rest(uint32_t first, uint32_t both, uint64_t second_len)
{
	return second_len > 0 ? inflate_crc_join(first, both, second_len) : 0;
}
