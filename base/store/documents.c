/* SPDX-License-Identifier: MIT */
#include "base/store/documents.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/store/internal.h"
#include "base/store/notes.h"
#include "base/store/store.h"

static void documents_folder(const struct digest *d, char *out, size_t size)
{
	snprintf(out, size, "documents/%s", digest_alg_name(d->alg));
}

int store_get_document(struct store *s, const struct digest *d, size_t max,
		       struct buf *out)
{
	char folder[32], hex[DIGEST_TEXT_MAX];
	struct digest have;
	int rc;

	documents_folder(d, folder, sizeof(folder));
	rc = store_get_file(s, folder, digest_hex(d, hex), max, out);
	if (rc == 0)
		rc = digest_of(d->alg, buf_text(out), out->len, &have);
	if (rc == 0 && !digest_equal(d, &have))
		rc = -ENOENT;
	if (rc < 0)
		buf_clear(out);
	return rc == -ENOMEM ? rc : rc < 0 ? -ENOENT : 0;
}

int store_put_document(struct store *s, const struct digest *d, const void *data,
		       size_t len)
{
	char folder[32], hex[DIGEST_TEXT_MAX];

	documents_folder(d, folder, sizeof(folder));
	return store_put_file(s, folder, digest_hex(d, hex), data, len);
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
		return 0; /* not ours */
	if (!alg)
		return store_check_note(s, name);
	buf_init(&content, SIZE_MAX / 2); /* the file's size is the ceiling */
	rc = store_get_document(s, &digest, content.max, &content);
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
