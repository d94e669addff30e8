/* SPDX-License-Identifier: MIT */
#include "tar/codec/gzip_pack.h"

#include <endian.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "tar/codec/checksum.h"
#include "tar/codec/inflate.h"

/* Deflate adds at most 5 bytes to each 16 KiB that cannot be compressed, and few at the end. */
static size_t room_for(size_t len)
{
	return len + len / 2048 + 64;
}

int gzip_pack(const void *data, size_t len, struct buf *out)
{
	/* No name and no time: the same bytes each time. Of an unknown system. */
	static const uint8_t head[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255};
	uint32_t tail[] = {htole32(checksum(0, data, len)), htole32((uint32_t)len)};
	void *room;
	size_t n;
	int rc;

	if (len > GZIP_PACK_MAX)
		return -E2BIG;
	rc = buf_append(out, head, sizeof(head));
	if (rc == 0)
		rc = buf_reserve(out, room_for(len), &room);
	if (rc < 0)
		return rc;
	n = inflate_pack(data, len, room, room_for(len));
	if (n == 0)
		return -ENOMEM;
	buf_advance(out, n);
	return buf_append(out, tail, sizeof(tail));
}
