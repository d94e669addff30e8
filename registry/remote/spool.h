/* SPDX-License-Identifier: MIT */
/*
 * A blob from hosts without ranges, which send the whole blob for any part. It is fetched once,
 * from its start, into an unnamed file of the store, or of TMPDIR if the store has no room,
 * and read from there. Readers that wait for long request a range again now and then, because
 * the host may honour it by then.
 */
#ifndef REGISTRY_REMOTE_SPOOL_H
#define REGISTRY_REMOTE_SPOOL_H

#include "registry/remote/range_reader.h"

struct source;
struct store;

/*
 * Makes a source of @size bytes whose reads wait for the bytes they need. @response: a reader
 * of the whole blob that has just begun, which the spool takes; or NULL: the first read makes
 * the request. @fetch is borrowed. Negative errno: no file could be made; @response is
 * still the caller's.
 *
 * pread() of the source has two errors without a sentence, after which the blob must be read in
 * another way: -ENOSPC, the file cannot grow, and -ESTALE, the host honours ranges now. Any
 * other error is a temporary one of the network: the next read continues where this one
 * stopped.
 */
int spool_new(struct store *store, struct blob_fetch *fetch, uint64_t size,
	      const struct range_reader *response, struct source **out);

#endif
