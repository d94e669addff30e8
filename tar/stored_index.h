/* SPDX-License-Identifier: MIT */
/* Which of the indexes in a store may be used for a layer. */
#ifndef TAR_STORED_INDEX_H
#define TAR_STORED_INDEX_H

#include <stdint.h>

struct digest;
struct err;
struct index;
struct toc_ref;

/*
 * Takes @fd. Opens an index that is of the blob @digest, which has @blob_size bytes, that
 * may be used by whoever knows only the table of contents @toc, and that is undamaged as
 * far as it was checked. 0, or a negative errno and a sentence.
 */
int stored_index_open(int fd, const struct digest *digest, uint64_t blob_size,
		      const struct toc_ref *toc, struct index **out, struct err *e);

#endif
