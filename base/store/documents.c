/* SPDX-License-Identifier: MIT */
/*
 * A note's file is named by the SHA-256, in hex, of the note's name, and contains:
 *
 *	64 hex digits	SHA-256 of the rest
 *	64 hex digits	the file's own name
 *	a newline, and the note
 */
#include "base/store/documents.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/fd.h"
#include "base/store/files.h"
#include "base/store/internal.h"
#include "base/store/lower.h"
#include "base/store/store.h"

#define NOTE_MAX  4096
#define HEX_LEN	  64
#define NOTE_HEAD (2 * HEX_LEN + 1)

/*
 * Small files in @folder (relative to the store, two levels at most), written and read
 * as a whole. -ENOENT also for a private store, and for a file of more than @max bytes.
 */
static int put_file(struct store *s, const char *folder, const char *name,
		    const void *data, size_t len)
{
	int dir = -1, fd, rc;

	if (!s->dir)
		return -ENOENT;
	fd = store_new_file(s);
	if (fd < 0)
		return fd;
	rc = fd_write_all(fd, data, len, 0);
	if (rc == 0)
		rc = dir = files_open_below(s->fd, folder);
	if (dir >= 0)
		rc = store_give_name(s, fd, dir, name);
	if (dir >= 0)
		close(dir);
	close(fd);
	if (rc < 0)
		store_note_trouble(s, rc);
	return rc;
}

#define UPPER SIZE_MAX /* the store itself, where others are numbers of lower stores */

static int open_upper(struct store *s, const char *folder)
{
	if (!s->dir)
		return -ENOENT;
	return openat(s->fd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int get_file(struct store *s, size_t k, const char *folder, const char *name,
		    size_t max, struct buf *out)
{
	int dir, fd, rc;

	dir = k == UPPER ? open_upper(s, folder) : lower_open_folder(s, k, folder);
	if (dir < 0)
		return -ENOENT;
	fd = k == UPPER ? files_open(dir, name, O_RDONLY)
			: lower_open_file(s, k, dir, name);
	rc = fd < 0 ? fd : files_read(fd, max, out);
	close(dir);
	return rc;
}

/* Documents */

static void documents_folder(const struct digest *d, char *out, size_t size)
{
	snprintf(out, size, "documents/%s", digest_alg_name(d->alg));
}

static int get_document(struct store *s, size_t k, const struct digest *d, size_t max,
			struct buf *out)
{
	char folder[32], hex[DIGEST_TEXT_MAX];
	struct digest have;
	int rc;

	documents_folder(d, folder, sizeof(folder));
	rc = get_file(s, k, folder, digest_hex(d, hex), max, out);
	if (rc == 0)
		rc = digest_of(d->alg, buf_text(out), out->len, &have);
	if (rc == 0 && !digest_equal(d, &have))
		rc = -ENOENT;
	if (rc < 0)
		buf_clear(out);
	return rc == -ENOMEM ? rc : rc < 0 ? -ENOENT : 0;
}

int store_get_document(struct store *s, const struct digest *d, size_t max,
		       struct buf *out)
{
	int rc = get_document(s, UPPER, d, max, out);
	bool is_lower = rc == -ENOENT;
	size_t k;

	for (k = 0; rc == -ENOENT && k < s->n_lower; k++)
		rc = get_document(s, k, d, max, out);
	if (rc == 0 && is_lower && s->copies_lower)
		(void)store_put_document(s, d, buf_text(out), out->len);
	return rc;
}

int store_put_document(struct store *s, const struct digest *d, const void *data,
		       size_t len)
{
	char folder[32], hex[DIGEST_TEXT_MAX];

	documents_folder(d, folder, sizeof(folder));
	return put_file(s, folder, digest_hex(d, hex), data, len);
}

/* Notes */

static int note_hash(const char *text, size_t len, char *hex)
{
	struct digest d;
	int rc = digest_of(DIGEST_SHA256, text, len, &d);

	if (rc == 0)
		digest_hex(&d, hex);
	return rc;
}

static int note_read(struct store *s, size_t k, const char *file, struct buf *out)
{
	char hex[DIGEST_TEXT_MAX];
	struct buf content;
	int rc;

	buf_init(&content, NOTE_HEAD + NOTE_MAX);
	rc = get_file(s, k, "names", file, content.max, &content);
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
	size_t k, before = out->len;

	if (rc < 0)
		return rc;
	rc = note_read(s, UPPER, file, out);
	if (rc == 0 || rc == -ENOMEM)
		return rc;
	for (k = 0; rc < 0 && rc != -ENOMEM && k < s->n_lower; k++)
		rc = note_read(s, k, file, out);
	if (rc == 0 && s->copies_lower)
		(void)store_put_note(s, name, buf_text(out) + before);
	return rc;
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
		rc = put_file(s, "names", file, all.data, all.len);
	buf_release(&rest);
	buf_release(&all);
	return rc;
}

int store_put_passing_note(struct store *s, const char *name, const char *text)
{
	return s->copies_lower ? 0 : store_put_note(s, name, text);
}

int store_each_note(struct store *s, int (*fn)(void *arg, const char *text), void *arg)
{
	int fd = open_upper(s, "names"), rc = 0;
	struct dirent *entry;
	struct buf text;
	DIR *dir;

	if (fd < 0)
		return 0;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -ENOMEM;
	}
	while (rc >= 0 && (entry = readdir(dir))) {
		if (strlen(entry->d_name) != HEX_LEN)
			continue;
		buf_init(&text, NOTE_MAX);
		if (note_read(s, UPPER, entry->d_name, &text) == 0)
			rc = fn(arg, buf_text(&text));
		buf_release(&text);
	}
	closedir(dir);
	return rc;
}

/* Checking documents and notes */

/* -ENOENT if the file is damaged. @alg is NULL for notes. */
static int check_file(struct store *s, const char *alg, const char *name)
{
	char text[DIGEST_TEXT_MAX];
	struct digest digest;
	struct buf content;
	int rc, len = snprintf(text, sizeof(text), "%s:%s", alg ? alg : "sha256", name);

	if (len >= (int)sizeof(text) || digest_parse(text, (size_t)len, &digest) < 0)
		return 0;		  /* not ours */
	buf_init(&content, SIZE_MAX / 2); /* the file's size is the ceiling */
	rc = alg ? get_document(s, UPPER, &digest, content.max, &content)
		 : note_read(s, UPPER, name, &content);
	buf_release(&content);
	return rc;
}

static int check_folder(struct store *s, const char *folder, const char *alg,
			unsigned *bad)
{
	int fd = openat(s->fd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;
	struct dirent *entry;
	DIR *dir;

	if (fd < 0)
		return 0;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -ENOMEM;
	}
	while (rc == 0 && (entry = readdir(dir))) {
		rc = check_file(s, alg, entry->d_name);
		if (rc != -ENOENT)
			continue;
		(void)unlinkat(fd, entry->d_name, 0);
		++*bad;
		rc = 0;
	}
	closedir(dir);
	return rc;
}

int store_check_documents(struct store *s, unsigned *bad)
{
	static const enum digest_alg algs[] = {DIGEST_SHA256, DIGEST_SHA384,
					       DIGEST_SHA512};
	char folder[32];
	size_t i;
	int rc = 0;

	if (!s->dir)
		return 0;
	for (i = 0; rc == 0 && i < sizeof(algs) / sizeof(algs[0]); i++) {
		const char *alg = digest_alg_name(algs[i]);

		snprintf(folder, sizeof(folder), "documents/%s", alg);
		rc = check_folder(s, folder, alg, bad);
	}
	return rc < 0 ? rc : check_folder(s, "names", NULL, bad);
}
