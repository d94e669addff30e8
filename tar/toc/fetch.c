/* SPDX-License-Identifier: MIT */
#include "tar/toc/fetch.h"

#include <errno.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/source.h"
#include "base/store/store.h"

/* One request, and as much memory: the tables of most layers. */
#define PIECE (4u << 20)

int fetch_read(const struct fetch *f, void *buf, size_t len, uint64_t off, struct err *e)
{
	if (f->cancelled && __atomic_load_n(f->cancelled, __ATOMIC_RELAXED))
		return err_set(e, -EINTR, "interrupted");
	if (f->store)
		store_note_work(f->store);
	__atomic_fetch_add(f->bytes, len, __ATOMIC_RELAXED);
	return source_read_all(f->blob, buf, len, off, e);
}

int fetch_range(const struct fetch *f, uint64_t off, uint64_t len, fetch_take_fn *take,
		void *arg, struct err *e)
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

		rc = fetch_read(f, piece, n, off, e);
		if (rc == 0)
			rc = take(arg, piece, n, e);
		off += n;
		len -= n;
	}
	free(piece);
	return rc;
}
