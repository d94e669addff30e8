/* SPDX-License-Identifier: MIT */
/*
 * However an archive is cut into pieces, and also if it is scanned, the report is the
 * same: the same entries and content in the same order, the same result, the same
 * sentence. And the report keeps the contract: names without NUL, extents that ascend
 * and add up, content at the stated offset.
 *
 * The last 8 bytes are the cuts, the others are the archive. Headers in it get the
 * right checksum, which a fuzzer would never guess.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/source.h"
#include "tar/archive/reader.h"

#define CUTS 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct report {
	const uint8_t *archive;
	size_t size;
	uint64_t sum; /* of everything reported */
	uint64_t at;  /* offset of the next content */
	uint64_t left;
};

/* A violation ends the run. */
static void need(bool holds)
{
	if (!holds)
		abort();
}

/* FNV-1a: pieces of content give the same as the whole. */
static void add(struct report *t, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len-- > 0)
		t->sum = (t->sum ^ *p++) * 0x100000001b3;
}

static void add_number(struct report *t, uint64_t v)
{
	add(t, &v, sizeof(v));
}

static void add_text(struct report *t, const char *text, size_t len)
{
	add_number(t, len);
	need(!memchr(text, '\0', len));
	add(t, text, len);
}

static void add_map(struct report *t, const struct tar_entry *e)
{
	uint64_t end = 0, sum = 0;
	size_t i;

	for (i = 0; i < e->n_extents; i++) {
		need(e->extents[i].len > 0 && e->extents[i].off >= end);
		end = e->extents[i].off + e->extents[i].len;
		sum += e->extents[i].len;
		add_number(t, e->extents[i].off);
		add_number(t, e->extents[i].len);
	}
	if (e->is_sparse)
		need(end <= e->size && sum == e->stored && e->size <= INT64_MAX);
	else
		need(e->n_extents == 0 && e->size == e->stored);
}

static void add_xattrs(struct report *t, const struct tar_entry *e)
{
	size_t i, j;

	for (i = 0; i < e->n_xattrs; i++) {
		need(e->xattrs[i].name[0] != '\0');
		for (j = 0; j < i; j++)
			need(strcmp(e->xattrs[i].name, e->xattrs[j].name) != 0);
		add_text(t, e->xattrs[i].name, strlen(e->xattrs[i].name));
		add_number(t, e->xattrs[i].len);
		add(t, e->xattrs[i].value, e->xattrs[i].len);
	}
}

static int on_entry(void *arg, const struct tar_entry *e)
{
	struct report *t = arg;

	need(t->left == 0 && e->path_len > 0);
	need((e->mode & ~(uint32_t)(S_IFMT | 07777)) == 0 && e->mtime_ns < 1000000000);
	need(S_ISREG(e->mode) || (e->size == 0 && e->stored == 0));
	need((e->is_hardlink || S_ISLNK(e->mode)) == (e->link != NULL));
	add_text(t, e->path, e->path_len);
	if (e->link)
		add_text(t, e->link, e->link_len);
	add_number(t, e->mode);
	add_number(t, (uint64_t)e->uid << 32 | e->gid);
	add_number(t, (uint64_t)e->mtime);
	add_number(t, e->mtime_ns);
	add_number(t, (uint64_t)e->rdev_major << 32 | e->rdev_minor);
	add_number(t, e->size);
	add_number(t, e->data);
	add_map(t, e);
	add_xattrs(t, e);
	t->at = e->data;
	t->left = e->stored;
	return 0;
}

static int on_content(void *arg, const void *data, size_t len)
{
	struct report *t = arg;

	need(len > 0 && len <= t->left && t->at + len <= t->size);
	need(memcmp(t->archive + t->at, data, len) == 0);
	add(t, data, len);
	t->at += len;
	t->left -= len;
	return 0;
}

/*
 * The cuts are used in turn; 0 means the rest. The pieces are copies, so that ASan
 * guards them.
 */
static int feed(struct report *t, const uint8_t *cuts, struct err *e)
{
	static const struct reader_ops ops = {on_entry, on_content};
	struct reader *r = NULL;
	size_t pos = 0, turn = 0;
	int rc = reader_new(&ops, t, &r);

	if (rc < 0)
		return rc;
	while (rc == 0 && pos < t->size) {
		size_t len = t->size - pos, cut = cuts ? cuts[turn++ % CUTS] : 0;
		uint8_t *piece;

		if (cut > 0 && cut < len)
			len = cut;
		piece = malloc(len);
		need(piece != NULL);
		memcpy(piece, t->archive + pos, len);
		rc = reader_feed(r, piece, len, e);
		free(piece);
		pos += len;
	}
	if (rc == 0)
		rc = reader_finish(r, e);
	need(rc < 0 || t->left == 0);
	reader_free(r);
	return rc;
}

/* Takes the content from where the entry says it is, as far as the file reaches. */
static int on_scanned(void *arg, const struct tar_entry *e)
{
	struct report *t = arg;
	int rc = on_entry(arg, e);

	if (rc == 0 && e->stored > 0 && e->data < t->size) {
		uint64_t len = t->size - e->data;

		rc = on_content(arg, t->archive + e->data,
				len < e->stored ? len : e->stored);
	}
	return rc;
}

static int scan(struct report *t, struct err *e)
{
	struct source *file = NULL;
	int rc = source_memory(t->archive, t->size, &file);

	if (rc == 0)
		rc = reader_scan(file, on_scanned, t, e);
	source_unref(file);
	return rc;
}

static void need_same(const struct report *a, const struct err *ae,
		      const struct report *b, const struct err *be)
{
	need(a->sum == b->sum && a->at == b->at);
	need(strcmp(ae->text, be->text) == 0);
}

/*
 * Recognises a header by the end of its checksum field, as nearly all writers leave it.
 */
static void mend_sums(uint8_t *archive, size_t size)
{
	char text[8];
	size_t i;

	for (; size >= 512; archive += 512, size -= 512) {
		unsigned sum = 0;

		if (archive[154] != '\0' || archive[155] != ' ')
			continue;
		memset(archive + 148, ' ', 8);
		for (i = 0; i < 512; i++)
			sum += archive[i];
		snprintf(text, sizeof(text), "%06o", sum);
		memcpy(archive + 148, text, 7);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err whole_err = {""}, part_err = {""}, scan_err = {""};
	struct report whole = {0}, part, scanned;
	uint8_t *archive;
	int rc;

	if (size < CUTS)
		return 0;
	archive = malloc(size);
	need(archive != NULL);
	memcpy(archive, data, size);
	mend_sums(archive, size - CUTS);
	whole.archive = archive;
	whole.size = size - CUTS;
	part = scanned = whole;
	rc = feed(&whole, NULL, &whole_err);
	need(rc == feed(&part, data + size - CUTS, &part_err));
	need((rc < 0) == (whole_err.text[0] != '\0'));
	need_same(&whole, &whole_err, &part, &part_err);
	need(rc == scan(&scanned, &scan_err));
	need_same(&whole, &whole_err, &scanned, &scan_err);
	free(archive);
	return 0;
}
