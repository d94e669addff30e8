/* SPDX-License-Identifier: MIT */
/*
 * A note's file is named by the SHA-256, in hex, of the note's name, and contains:
 *
 *	64 hex digits	SHA-256 of the rest
 *	64 hex digits	the file's own name
 *	a newline, and the note
 */
#include "base/store/notes.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/store/store.h"

#define NOTE_MAX  4096
#define HEX_LEN	  64
#define NOTE_HEAD (2 * HEX_LEN + 1)

static int note_hash(const char *text, size_t len, char *hex)
{
	struct digest d;
	int rc = digest_of(DIGEST_SHA256, text, len, &d);

	if (rc == 0)
		digest_hex(&d, hex);
	return rc;
}

static int note_read(struct store *s, const char *file, struct buf *out)
{
	char hex[DIGEST_TEXT_MAX];
	struct buf content;
	int rc;

	buf_init(&content, NOTE_HEAD + NOTE_MAX);
	rc = store_get_file(s, "names", file, content.max, &content);
	if (rc == 0 && content.len < NOTE_HEAD)
		rc = -ENOENT;
	if (rc == 0)
		rc = note_hash(content.data + HEX_LEN, content.len - HEX_LEN, hex);
	if (rc == 0 && (memcmp(content.data, hex, HEX_LEN) != 0 ||
			memcmp(content.data + HEX_LEN, file, HEX_LEN) != 0))
		rc = -ENOENT;
	if (rc == 0)
		rc = buf_append(out, content.data + NOTE_HEAD, content.len - NOTE_HEAD);
	buf_release(&content);
	return rc;
}

int store_get_note(struct store *s, const char *name, struct buf *out)
{
	char file[DIGEST_TEXT_MAX];
	int rc = note_hash(name, strlen(name), file);

	return rc < 0 ? rc : note_read(s, file, out);
}

int store_put_note(struct store *s, const char *name, const char *text)
{
	char file[DIGEST_TEXT_MAX], hex[DIGEST_TEXT_MAX];
	struct buf rest, all;
	int rc = note_hash(name, strlen(name), file);

	if (rc < 0)
		return rc;
	if (strlen(text) > NOTE_MAX)
		return -E2BIG;
	buf_init(&rest, NOTE_HEAD + NOTE_MAX);
	buf_init(&all, NOTE_HEAD + NOTE_MAX);
	rc = buf_printf(&rest, "%s\n%s", file, text);
	if (rc == 0)
		rc = note_hash(rest.data, rest.len, hex);
	if (rc == 0)
		rc = buf_printf(&all, "%s%s", hex, rest.data);
	if (rc == 0)
		rc = store_put_file(s, "names", file, all.data, all.len);
	buf_release(&rest);
	buf_release(&all);
	return rc;
}

int store_check_note(struct store *s, const char *file)
{
	struct buf text;
	int rc;

	buf_init(&text, NOTE_MAX);
	rc = note_read(s, file, &text);
	buf_release(&text);
	return rc;
}
