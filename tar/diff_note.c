/* SPDX-License-Identifier: MIT */
#include "tar/diff_note.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/store/documents.h"

#define NAME_MAX_LEN (DIGEST_TEXT_MAX + 16)

static void note_name(const struct digest *blob, char *name)
{
	char text[DIGEST_TEXT_MAX];

	snprintf(name, NAME_MAX_LEN, "diff-id %s", digest_format(blob, text));
}

bool diff_note_get(struct store *store, const struct digest *blob, struct digest *out)
{
	char name[NAME_MAX_LEN];
	struct buf text;
	bool is;

	note_name(blob, name);
	buf_init(&text, DIGEST_TEXT_MAX);
	is = store_get_note(store, name, &text) == 0 &&
	     digest_parse(text.data, text.len, out) == 0;
	buf_release(&text);
	return is;
}

void diff_note_put(struct store *store, const struct digest *blob,
		   const struct digest *diff_id)
{
	char name[NAME_MAX_LEN], text[DIGEST_TEXT_MAX];

	note_name(blob, name);
	(void)store_put_note(store, name, digest_format(diff_id, text));
}
