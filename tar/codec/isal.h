/* SPDX-License-Identifier: MIT */
/*
 * ISA-L (x86-64, arm64), which inflates twice as fast as zlib. isal.c is its only
 * door; built without HAVE_ISAL it says that it is not there.
 */
#ifndef TAR_CODEC_ISAL_H
#define TAR_CODEC_ISAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct inflate;

bool isal_is_there(void);
/* An engine; -ENOMEM, or -ENOTSUP if it is not there. */
int isal_new(struct inflate **out);
/* CRC-32 (IEEE); only if it is there. */
uint32_t isal_crc(uint32_t crc, const void *data, size_t len);

#endif
