/* SPDX-License-Identifier: MIT */
/*
 * The archive is scanned once: the parser of tar/archive/ reads the headers and steps over
 * the content, so this costs one read of a few KiB per member. Only names, links and the place
 * of the bytes are kept. The layers inside are archives of their own, which tar/ reads.
 *
 * Links matter because `docker save` writes a layer that occurs twice as a link to the first.
 */
#include "registry/disk/archive.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/err.h"
#include "base/source.h"
#include "registry/disk/input.h"
#include "registry/image/archive_helper.h"
#include "tar/archive/reader.h"

/* An image has a few hundred members at most, an archive of many images some thousands. */
#define MEMBERS_MAX 100000
#define LINKS_MAX   8

struct member {
	char *name; /* without "./" in front */
	char *link; /* of a link: the name of its target in the archive; else NULL */
	uint64_t off, size;
	bool is_sparse; /* the content is not the file byte for byte */
};

struct archive {
	const struct archive_helper *helper; /* borrowed; may be NULL */
	/* as it is on disk; without a source: standard input, not read yet */
	struct input input;
	/* Set by the scan. */
	struct source *tar; /* of the decoded bytes */
	struct member *list;
	size_t n;
	struct err *err; /* of the scan under way */
};

static const char *without_dot(const char *name)
{
	while (strncmp(name, "./", 2) == 0)
		name += 2;
	return name;
}

/* The target of a symlink, relative to the member's own folder: "../ID/layer.tar". */
static char *resolve_symlink(const char *member, const char *target)
{
	const char *slash = strrchr(member, '/');
	size_t folder = slash ? (size_t)(slash - member) : 0;
	char *out;

	while (strncmp(target, "../", 3) == 0 || strncmp(target, "./", 2) == 0) {
		if (target[1] == '.') {
			while (folder > 0 && member[folder - 1] != '/')
				folder--;
			if (folder > 0)
				folder--;
		}
		target = strchr(target, '/') + 1;
	}
	out = malloc(folder + strlen(target) + 2);
	if (out)
		sprintf(out, "%.*s%s%s", (int)folder, member, folder ? "/" : "", target);
	return out;
}

static char *copy_path(const char *path, size_t len)
{
	char *text = strndup(path, len);

	if (text)
		memmove(text, without_dot(text), strlen(without_dot(text)) + 1);
	return text;
}

static int member_init(struct member *m, const struct tar_entry *entry)
{
	char *target;

	*m = (struct member){
		.name = copy_path(entry->path, entry->path_len),
		.off = entry->data,
		.size = entry->stored,
		.is_sparse = entry->is_sparse,
	};
	if (!m->name || !entry->link)
		return m->name ? 0 : -ENOMEM;
	if (entry->is_hardlink) {
		m->link = copy_path(entry->link, entry->link_len);
	} else {
		target = strndup(entry->link, entry->link_len);
		m->link = target ? resolve_symlink(m->name, target) : NULL;
		free(target);
	}
	return m->link ? 0 : -ENOMEM;
}

static int add_member(void *arg, const struct tar_entry *entry)
{
	struct archive *a = arg;
	int rc;

	if ((!S_ISREG(entry->mode) && !entry->link) || entry->is_fragment)
		return 0;
	if (a->n == MEMBERS_MAX)
		return err_set(a->err, -E2BIG, "more than %d members", MEMBERS_MAX);
	rc = array_grow(&a->list, a->n, sizeof(*a->list));
	if (rc == 0)
		rc = member_init(&a->list[a->n++], entry);
	return rc < 0 ? err_set(a->err, rc, "out of memory") : 0;
}

/* How an archive is compressed as a whole. */
struct packing {
	const char *magic, *program;
	size_t len;
	bool is_supported;
};

static int find_packing(struct source *file, const struct packing **out, struct err *e)
{
	static const struct packing kinds[] = {
		{"\x1f\x8b", "gzip -d", 2, true},
		{"\x28\xb5\x2f\xfd", "zstd -d", 4, true},
		{"\xfd"
		 "7zXZ",
		 "xz -d", 5, false},
		{"BZh", "bzip2 -d", 3, false},
	};
	char head[8] = "";
	ssize_t n = source_pread(file, head, sizeof(head), 0, e);
	size_t i;

	*out = NULL;
	for (i = 0; n > 0 && !*out && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if ((size_t)n >= kinds[i].len &&
		    memcmp(head, kinds[i].magic, kinds[i].len) == 0)
			*out = &kinds[i];
	}
	return n < 0 ? (int)n : 0;
}

/* Sets a->tar. */
static int archive_unpack(struct archive *a, struct err *e)
{
	const struct archive_helper *h = a->helper;
	const struct packing *packing;
	int rc = find_packing(a->input.source, &packing, e);

	if (rc < 0)
		return rc;
	if (!packing) {
		a->tar = source_ref(a->input.source);
		return 0;
	}
	if (!h || !packing->is_supported)
		return err_set(e, -ENOTSUP,
			       "a compressed archive, which cannot be read in "
			       "place: decompress it with %s",
			       packing->program);
	return h->unpack(h->arg, a->input.source,
			 a->input.identity[0] ? a->input.identity : NULL, &a->tar, e);
}

static void archive_forget(struct archive *a)
{
	size_t i;

	for (i = 0; i < a->n; i++) {
		free(a->list[i].name);
		free(a->list[i].link);
	}
	free(a->list);
	source_unref(a->tar);
	a->list = NULL;
	a->n = 0;
	a->tar = NULL;
}

static int archive_read(struct archive *a, struct err *e)
{
	int rc = 0;

	if (!a->input.source)
		rc = input_copy(STDIN_FILENO, a->helper, &a->input, e);
	if (rc == 0)
		rc = archive_unpack(a, e);
	a->err = e;
	if (rc == 0)
		rc = reader_scan(a->tar, add_member, a, e);
	a->err = NULL;
	if (rc < 0)
		archive_forget(a);
	return rc;
}

int archive_scan(struct archive *a, struct err *e)
{
	return a->tar ? 0 : archive_read(a, e);
}

int archive_new(struct source *file, const struct archive_helper *h, struct archive **out,
		struct err *e)
{
	struct archive *a = calloc(1, sizeof(*a));
	int rc;

	if (!a)
		return err_set(e, -ENOMEM, "out of memory");
	a->helper = h;
	a->input.source = source_ref(file);
	rc = archive_scan(a, e);
	if (rc < 0)
		archive_free(a);
	else
		*out = a;
	return rc;
}

int archive_open(const char *path, const struct archive_helper *h, struct archive **out,
		 struct err *e)
{
	struct archive *a = calloc(1, sizeof(*a));
	int rc = 0;

	if (!a)
		return err_set(e, -ENOMEM, "out of memory");
	a->helper = h;
	if (strcmp(path, INPUT_STANDARD) != 0)
		rc = input_open(path, &a->input, e);
	if (rc < 0)
		archive_free(a);
	else
		*out = a;
	return rc;
}

/* libarchive has a function of this name for its own use; ours is hidden from it (Makefile). */
void archive_free(struct archive *a)
{
	if (!a)
		return;
	archive_forget(a);
	source_unref(a->input.source);
	free(a);
}

/* The last member of that name: the one that unpacking would leave on disk. */
static const struct member *archive_find(const struct archive *a, const char *name)
{
	size_t i;

	for (i = a->n; i-- > 0;) {
		if (strcmp(a->list[i].name, name) == 0)
			return &a->list[i];
	}
	return NULL;
}

int archive_member(struct archive *a, const char *name, struct source **out,
		   struct err *e)
{
	const struct member *m = archive_find(a, without_dot(name));
	int links, rc;

	for (links = 0; m && m->link && links < LINKS_MAX; links++)
		m = archive_find(a, m->link);
	if (!m || m->link)
		return err_set(e, -ENOENT, "%.200s: not in the archive", name);
	if (m->is_sparse)
		return err_set(
			e, -ENOTSUP,
			"%.200s: a sparse file in the archive, which cannot be read "
			"in place: make the archive without --sparse",
			name);
	rc = source_slice(a->tar, m->off, m->size, out);
	return rc < 0 ? err_set(e, rc, "out of memory") : 0;
}
