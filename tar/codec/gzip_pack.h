/* SPDX-License-Identifier: MIT */
/* Making gzip (RFC 1952): consecutive members, each of some bytes. */
#ifndef TAR_CODEC_GZIP_PACK_H
#define TAR_CODEC_GZIP_PACK_H

#include <stddef.h>

struct buf;

/* Appends a member with @data, at most GZIP_PACK_MAX bytes. 0, -ENOMEM, -E2BIG. */
#define GZIP_PACK_MAX (1u << 20)
int gzip_pack(const void *data, size_t len, struct buf *out);

#endif
