/* SPDX-License-Identifier: MIT */
/*
 * Notes in the store of the diff IDs of layers, each computed from bytes that had the digest
 * of the blob. Any thread.
 */
#ifndef TAR_DIFF_NOTE_H
#define TAR_DIFF_NOTE_H

#include <stdbool.h>

struct digest;
struct store;

/* False: it was not noted. */
bool diff_note_get(struct store *store, const struct digest *blob, struct digest *out);
/* Notes it, if the store can. */
void diff_note_put(struct store *store, const struct digest *blob,
		   const struct digest *diff_id);

#endif
