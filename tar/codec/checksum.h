/* SPDX-License-Identifier: MIT */
/*
 * The CRC-32 of gzip (RFC 1952, section 8), at the speed of memory if ISA-L is built in.
 * It detects damage by a disk or a stray write. It does not protect against an attacker.
 */
#ifndef TAR_CODEC_CHECKSUM_H
#define TAR_CODEC_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* Continues from @crc, which is 0 at the start. */
uint32_t checksum(uint32_t crc, const void *data, size_t len);

/* The checksum of two runs of bytes, one behind the other, from the checksum of each. */
uint32_t checksum_join(uint32_t first, uint32_t second, uint64_t second_len);
/* The checksum of the second run, from those of the first run and of both together. */
uint32_t checksum_rest(uint32_t first, uint32_t both, uint64_t second_len);

#endif
