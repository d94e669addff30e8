/* SPDX-License-Identifier: MIT */
#include "tar/toc/blob_reader.h"

#include <errno.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/source.h"
#include "base/store/slot.h"

/* One request, and as much memory. Most tables are smaller. */
#define PIECE (4u << 20)

int blob_reader_read(const struct blob_reader *r, void *buf, size_t len, uint64_t off,
		     struct err *e)
{
	if (r->cancelled && __atomic_load_n(r->cancelled, __ATOMIC_RELAXED))
		return err_set(e, -EINTR, "interrupted");
	if (r->store)
		store_note_work(r->store);
	__atomic_fetch_add(r->bytes, len, __ATOMIC_RELAXED);
	return source_read_all(r->blob, buf, len, off, e);
}

int blob_reader_stream(const struct blob_reader *r, uint64_t off, uint64_t len,
		       blob_reader_take_fn *take, void *arg, struct err *e)
{
	size_t room = len < PIECE ? (size_t)len : PIECE;
	char *piece;
	int rc = 0;

	if (len == 0)
		return 0;
	piece = malloc(room);
	if (!piece)
		return -ENOMEM;
	while (rc == 0 && len > 0) {
		size_t n = len < room ? (size_t)len : room;

		rc = blob_reader_read(r, piece, n, off, e);
		if (rc == 0)
			rc = take(arg, piece, n, e);
		off += n;
		len -= n;
	}
	free(piece);
	return rc;
}
