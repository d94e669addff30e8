/* SPDX-License-Identifier: MIT */
/*
 * The CRC-32 of gzip (RFC 1952, section 8), at the speed of memory where ISA-L
 * can be had. Finds what a disk or a stray write did; proves nothing against a foe.
 */
#ifndef TAR_CODEC_CHECKSUM_H
#define TAR_CODEC_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* Goes on from @crc, which is 0 at the start. */
uint32_t checksum(uint32_t crc, const void *data, size_t len);

/* Of two runs of bytes, one behind the other, from that of each. */
uint32_t checksum_join(uint32_t first, uint32_t second, uint64_t second_len);
/* Of the second run, from that of the first and that of both. */
uint32_t checksum_rest(uint32_t first, uint32_t both, uint64_t second_len);

#endif
