/* SPDX-License-Identifier: MIT */
#include "fs/text/blob_names.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/digest.h"
#include "fs/text/titles.h"
#include "registry/image/descriptor.h"

/* Digits of a digest in a name. */
#define HEX_LEN 12

#define PACKED_EXTENSION ".tar.gz"

/* What a blob says of itself */

static const char *title_of(const struct descriptor *d)
{
	return descriptor_annotation(d, "org.opencontainers.image.title");
}

bool blob_is_packed(const struct descriptor *d)
{
	const char *unpack = descriptor_annotation(d, "io.deis.oras.content.unpack");

	return unpack && strcmp(unpack, "true") == 0;
}

const char *blob_next_part(const struct descriptor *d, size_t *at, size_t *len)
{
	const char *title = title_of(d), *part;

	if (!title)
		return NULL;
	do {
		part = title + *at;
		part += strspn(part, "/");
		*len = strcspn(part, "/");
		*at = (size_t)(part - title) + *len;
	} while (*len == 1 && part[0] == '.');
	return *len > 0 ? part : NULL;
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), n = strlen(end);

	return len >= n && strcmp(text + len - n, end) == 0;
}

static const char *find_extension(const char *media_type)
{
	static const struct {
		const char *end, *extension;
	} table[] = {
		{".tar+gzip", ".tar.gz"},  {".tar.gzip", ".tar.gz"},
		{".tar+zstd", ".tar.zst"}, {".tar", ".tar"},
		{"json", ".json"},	   {"wasm", ".wasm"},
		{"+xml", ".xml"},	   {"text/plain", ".txt"},
		{"+yaml", ".yaml"},
	};
	size_t i;

	for (i = 0; media_type && i < sizeof(table) / sizeof(table[0]); i++) {
		if (ends_with(media_type, table[i].end))
			return table[i].extension;
	}
	return "";
}

/* What is taken in a directory */

static bool is_name(const char *name, const char *wanted)
{
	return name && strcmp(name, wanted) == 0;
}

/* The number of a directory, or 0. */
static uint32_t find_dir(const struct blob_names *t, uint32_t parent, const char *name)
{
	size_t i;

	for (i = 0; i < t->n_dirs; i++) {
		if (t->dirs[i].parent == parent && is_name(t->dirs[i].name, name))
			return (uint32_t)i + 1;
	}
	return 0;
}

static bool has_file(const struct blob_names *t, uint32_t dir, const char *name)
{
	size_t i;

	for (i = 0; i < t->n; i++) {
		if (t->list[i].dir == dir &&
		    (is_name(t->list[i].file, name) || is_name(t->list[i].packed, name)))
			return true;
	}
	return false;
}

static bool is_taken(const struct blob_names *t, uint32_t dir, const char *name)
{
	return find_dir(t, dir, name) || has_file(t, dir, name);
}

/* Names a blob in a directory: 0; -EEXIST: it would have a name that is taken; -ENOMEM. */
static int add_blob(struct blob_names *t, uint32_t dir, const char *name,
		    const char *extension, bool is_packed)
{
	struct blob_name new = {.dir = dir};
	int rc = 0;

	if (strlen(name) + strlen(extension) > NAME_MAX)
		return -EEXIST;
	if (asprintf(&new.file, "%s%s", name, extension) < 0)
		return -ENOMEM;
	if (is_taken(t, dir, new.file) || (is_packed && is_taken(t, dir, name)))
		rc = -EEXIST;
	if (rc == 0 && is_packed && !(new.packed = strdup(name)))
		rc = -ENOMEM;
	if (rc == 0)
		t->list[t->n++] = new;
	else
		free(new.file);
	return rc;
}

static int make_dir(struct blob_names *t, uint32_t parent, const char *name,
		    uint32_t *out)
{
	int rc = array_grow(&t->dirs, t->n_dirs, sizeof(*t->dirs));
	char *own = rc == 0 ? strdup(name) : NULL;

	if (!own)
		return -ENOMEM;
	t->dirs[t->n_dirs++] = (struct blob_dir){own, parent};
	*out = (uint32_t)t->n_dirs;
	return 0;
}

/* Paths */

/* The part of a path up to the next slash or the end, as a name. */
static bool take_part(const char *path, size_t len, char *name)
{
	char *part = len > 0 ? strndup(path, len) : NULL;
	bool is = part && strcmp(part, ".") != 0 && strcmp(part, "..") != 0 &&
		  title_clean(part, name);

	free(part);
	return is;
}

static bool is_path(const char *title)
{
	char name[NAME_MAX + 1];
	unsigned depth;

	for (depth = 1; depth <= BLOB_NAMES_DEPTH_MAX; depth++) {
		size_t len = strcspn(title, "/");

		if (!take_part(title, len, name))
			return false;
		if (!title[len])
			return true;
		title += len + 1;
	}
	return false;
}

/* All directories of a path, of which *@name becomes the last part. */
static int enter_dirs(struct blob_names *t, const char *path, char *name, uint32_t *dir)
{
	int rc = 0;

	*dir = 0;
	for (;;) {
		size_t len = strcspn(path, "/");
		uint32_t next;

		if (!take_part(path, len, name))
			return -ENOMEM; /* it is a path */
		if (!path[len])
			return 0;
		next = find_dir(t, *dir, name);
		if (!next &&
		    (t->n_dirs == BLOB_NAMES_DIRS_MAX || has_file(t, *dir, name)))
			return -EEXIST;
		if (!next)
			rc = make_dir(t, *dir, name, &next);
		if (rc < 0)
			return rc;
		*dir = next;
		path += len + 1;
	}
}

/* Directories that were made for a path which led nowhere. */
static void forget_dirs(struct blob_names *t, size_t n)
{
	while (t->n_dirs > n)
		free(t->dirs[--t->n_dirs].name);
}

static int add_path(struct blob_names *t, const char *path, const char *extension,
		    bool is_packed)
{
	size_t n_dirs = t->n_dirs;
	char name[NAME_MAX + 1];
	uint32_t dir;
	int rc = enter_dirs(t, path, name, &dir);

	if (rc == 0)
		rc = add_blob(t, dir, name, extension, is_packed);
	if (rc < 0)
		forget_dirs(t, n_dirs);
	return rc;
}

static int add_numbered(struct blob_names *t, const struct descriptor *d,
			const char *extension, bool is_packed)
{
	char name[NAME_MAX + 1], hex[DIGEST_TEXT_MAX];
	size_t number = t->n + 1, again = 0;
	int rc;

	digest_hex(&d->digest, hex);
	snprintf(name, sizeof(name), "%zu-%.*s", number, HEX_LEN, hex);
	/* Titles may be equal to such names; there are fewer of them than numbers. */
	while ((rc = add_blob(t, 0, name, extension, is_packed)) == -EEXIST)
		snprintf(name, sizeof(name), "%zu-%.*s-%zu", number, HEX_LEN, hex,
			 ++again);
	return rc;
}

static int add_one(struct blob_names *t, const struct descriptor *d)
{
	bool is_packed = blob_is_packed(d);
	const char *title = title_of(d), *extension = is_packed ? PACKED_EXTENSION : "";
	char name[NAME_MAX + 1];
	int rc = -EEXIST;

	if (title && is_path(title))
		rc = add_path(t, title, extension, is_packed);
	else if (title && title_clean(title, name))
		rc = add_blob(t, 0, name, extension, is_packed);
	if (rc != -EEXIST)
		return rc;
	return add_numbered(t, d, is_packed ? extension : find_extension(d->media_type),
			    is_packed);
}

int blob_names_make(const struct descriptor *blobs, size_t n, struct blob_names *out)
{
	size_t i;
	int rc = 0;

	*out = (struct blob_names){.list = calloc(n + 1, sizeof(*out->list))};
	if (!out->list)
		return -ENOMEM;
	for (i = 0; i < n && rc == 0; i++)
		rc = add_one(out, &blobs[i]);
	return rc;
}

void blob_names_release(struct blob_names *t)
{
	size_t i;

	for (i = 0; i < t->n; i++) {
		free(t->list[i].file);
		free(t->list[i].packed);
	}
	forget_dirs(t, 0);
	free(t->dirs);
	free(t->list);
	*t = (struct blob_names){.list = NULL};
}
