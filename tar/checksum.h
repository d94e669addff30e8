/* SPDX-License-Identifier: MIT */
/*
 * The CRC-32 of gzip (RFC 1952, section 8), at the speed of memory where ISA-L
 * can be had. Finds what a disk or a stray write did; proves nothing against a foe.
 */
#ifndef TAR_CHECKSUM_H
#define TAR_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* Goes on from @crc, which is 0 at the start. */
uint32_t checksum(uint32_t crc, const void *data, size_t len);

#endif
