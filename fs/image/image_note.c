/* SPDX-License-Identifier: MIT */
/* The note "image NAME" has the text "image DIGEST NAME". */
#include "fs/image/image_note.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/store/documents.h"
#include "registry/image/image.h"

/* Longer than any reference; an archive's path may be longer, and is not noted then. */
#define NOTE_MAX 4000

#define MARK "image "

static bool is_noted(struct store *store, const char *name, const char *text)
{
	struct buf have;
	bool is;

	buf_init(&have, NOTE_MAX + DIGEST_TEXT_MAX);
	is = store_get_note(store, name, &have) == 0 &&
	     strcmp(buf_text(&have), text) == 0;
	buf_release(&have);
	return is;
}

void image_note_put(struct store *store, const struct image *img)
{
	const struct digest *digest = &img->manifest_descriptor.digest;
	char name[NOTE_MAX], text[NOTE_MAX], hex[DIGEST_TEXT_MAX];

	if (strlen(img->name) >= NOTE_MAX - sizeof(MARK) - DIGEST_TEXT_MAX)
		return;
	snprintf(name, sizeof(name), MARK "%s", img->name);
	snprintf(text, sizeof(text), MARK "%s %s", digest_format(digest, hex), img->name);
	if (is_noted(store, name, text))
		return;
	/* That of an image on disk is in no store. */
	(void)store_put_document(store, digest, img->manifest.data, img->manifest.len);
	(void)store_put_note(store, name, text);
}

bool image_note_parse(const char *text, struct digest *manifest, const char **name)
{
	const char *space;

	if (strncmp(text, MARK, sizeof(MARK) - 1) != 0)
		return false;
	text += sizeof(MARK) - 1;
	space = strchr(text, ' ');
	if (!space || digest_parse(text, (size_t)(space - text), manifest) < 0)
		return false;
	*name = space + 1;
	return true;
}
