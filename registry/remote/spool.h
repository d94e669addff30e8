/* SPDX-License-Identifier: MIT */
/*
 * A blob from hosts that give no ranges: whoever wants a part is sent all of it. So it
 * is fetched once, from its start, into an unnamed file of the store, or of TMPDIR if the
 * store has no room, and read from there.
 */
#ifndef REGISTRY_REMOTE_SPOOL_H
#define REGISTRY_REMOTE_SPOOL_H

#include "registry/remote/range_reader.h"

struct source;
struct store;

/*
 * A source of @size bytes that waits for what is not there yet. @answer: a reading of all of
 * it from byte 0, just begun, which is taken; or NULL: nothing is asked before something is
 * read. @supply, whose size it is, outlives the spool. Negative errno: there is no place for
 * it, and @answer is still the caller's.
 *
 * The source's pread gives -ENOSPC, without a sentence, when the file cannot grow: what
 * is wanted must be had in another way, now and later. Any other failure is the network's
 * and of the moment: the next read goes on where this one stopped.
 */
int spool_new(struct store *store, struct blob_fetch *supply, uint64_t size,
	      const struct range_reader *answer, struct source **out);

#endif
