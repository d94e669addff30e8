/* SPDX-License-Identifier: MIT */
/* The compression of a layer, recognised by its first bytes. */
#ifndef TAR_CODEC_COMPRESSION_H
#define TAR_CODEC_COMPRESSION_H

#include <stddef.h>

enum compression { COMPRESSION_PLAIN, COMPRESSION_GZIP, COMPRESSION_ZSTD };

/* @data is the beginning of a layer: at least 4 bytes, unless the layer is shorter. */
enum compression compression_of(const void *data, size_t len);

#endif
