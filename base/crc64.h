/* SPDX-License-Identifier: MIT */
/* CRC-64 of ISO 3309, polynomial x^64 + x^4 + x^3 + x + 1, bits reflected, as Go has it. */
#ifndef BASE_CRC64_H
#define BASE_CRC64_H

#include <stddef.h>
#include <stdint.h>

/* Continues from @crc, which is 0 at the start. Any thread. */
uint64_t crc64(uint64_t crc, const void *data, size_t len);

#endif
