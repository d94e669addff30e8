/* SPDX-License-Identifier: MIT */
#include "tar/checksum.h"

#include "tar/inflate.h"
#include "tar/isal.h"

uint32_t checksum(uint32_t crc, const void *data, size_t len)
{
	return isal_is_there() ? isal_crc(crc, data, len) : inflate_crc(crc, data, len);
}
