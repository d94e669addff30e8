/* SPDX-License-Identifier: MIT */
/*
 * ISA-L (x86-64, arm64), which inflates twice as fast as zlib. isal.c is the only source
 * that includes it. Without HAVE_ISAL, isal_is_there() returns false.
 */
#ifndef TAR_CODEC_ISAL_H
#define TAR_CODEC_ISAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct inflate;

bool isal_is_there(void);
/* Creates an engine. -ENOMEM, or -ENOTSUP if ISA-L is not built in. */
int isal_new(struct inflate **out);
/* CRC-32 (IEEE). Only valid if ISA-L is built in. */
uint32_t isal_crc(uint32_t crc, const void *data, size_t len);

#endif
