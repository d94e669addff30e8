/* SPDX-License-Identifier: MIT */
/* Notes in the store about tables of contents that did not match their chunks. Any thread. */
#ifndef TAR_TOC_BAD_TOC_H
#define TAR_TOC_BAD_TOC_H

#include <stdbool.h>

struct digest;
struct store;

/* Whether it was noted that the table @toc does not match the blob. */
bool bad_toc_is_noted(struct store *store, const struct digest *blob,
		      const struct digest *toc);
/* Notes it, if the store can. */
void bad_toc_note(struct store *store, const struct digest *blob,
		  const struct digest *toc);

#endif
