/* SPDX-License-Identifier: MIT */
/*
 * A tar archive that is compressed as a whole, as a source of its decoded bytes. It is kept in
 * the store as a layer is: streamed once, then read span by span. What cannot be entered in its
 * middle and has no room in the store is decoded into an unnamed file in TMPDIR.
 */
#ifndef TAR_PACKED_H
#define TAR_PACKED_H

#include <stdbool.h>
#include <stdint.h>

struct err;
struct source;
struct store;

/*
 * @file is the compressed archive, which gets another reference; @store is borrowed for the
 * life of the source. The file is hashed first, because the store knows it by its digest, if
 * not that of the file with this @identity, a text, is noted there; NULL: it has none.
 * @cancelled (may be NULL) is looked at until the call returns. *@read is raised, atomically, by
 * what is read of the file, as long as there is the source. Errors: those of layer_load().
 */
int packed_open(struct store *store, struct source *file, const char *identity,
		const bool *cancelled, uint64_t *read, struct source **out,
		struct err *e);

#endif
