/* SPDX-License-Identifier: MIT */
/* A note is about both, because a table may be right for one blob and a lie for another. */
#include "tar/toc/bad_toc.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/store/documents.h"

#define NOTE_MAX (2 * DIGEST_TEXT_MAX + 16)

static void note_name(const struct digest *blob, const struct digest *toc, char *name)
{
	char blob_text[DIGEST_TEXT_MAX], toc_text[DIGEST_TEXT_MAX];

	snprintf(name, NOTE_MAX, "bad-table %s %s", digest_format(blob, blob_text),
		 digest_format(toc, toc_text));
}

bool bad_toc_is_noted(struct store *store, const struct digest *blob,
		      const struct digest *toc)
{
	char name[NOTE_MAX];
	struct buf text;
	bool is;

	note_name(blob, toc, name);
	buf_init(&text, NOTE_MAX);
	is = store_get_note(store, name, &text) == 0;
	buf_release(&text);
	return is;
}

void bad_toc_note(struct store *store, const struct digest *blob,
		  const struct digest *toc)
{
	char name[NOTE_MAX];

	note_name(blob, toc, name);
	(void)store_put_note(store, name, "bad");
}
