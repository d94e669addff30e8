/* SPDX-License-Identifier: MIT */
/*
 * What a tar reader reports is written down as text, one line for each entry, so that tables
 * can state what they expect. Every archive is also read in pieces of other sizes and scanned,
 * which must report the same.
 */
#ifndef TESTS_UNIT_TAR_ARCHIVE_TOLD_H
#define TESTS_UNIT_TAR_ARCHIVE_TOLD_H

#include <errno.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/source.h"
#include "tar/archive/reader.h"
#include "tests/unit/tarball.h"
#include "tests/unit/test.h"

static struct buf archive;

struct told {
	struct buf log;
	int rc;
	struct err err;
	size_t entries;
	int refuse; /* what the entry callback returns */
};

static inline void log_entry(struct buf *b, const struct tar_entry *t)
{
	static const char types[] = "?pc?d?b?-?l?s???";
	size_t i;

	buf_printf(b, "%c%04o %u:%u %lld", t->is_hardlink ? 'h' : types[t->mode >> 12],
		   t->mode & 07777, t->uid, t->gid, (long long)t->mtime);
	if (t->mtime_ns)
		buf_printf(b, ".%09u", t->mtime_ns);
	if (t->rdev_major || t->rdev_minor)
		buf_printf(b, " dev %u,%u", t->rdev_major, t->rdev_minor);
	buf_printf(b, " %.*s", (int)t->path_len, t->path);
	if (t->link)
		buf_printf(b, " -> %.*s", (int)t->link_len, t->link);
	if (t->size)
		buf_printf(b, " size %llu", (unsigned long long)t->size);
	if (t->is_sparse)
		buf_printf(b, " sparse");
	for (i = 0; i < t->n_extents; i++)
		buf_printf(b, " %llu+%llu", (unsigned long long)t->extents[i].off,
			   (unsigned long long)t->extents[i].len);
	for (i = 0; i < t->n_xattrs; i++)
		buf_printf(b, " %s=%.*s", t->xattrs[i].name, (int)t->xattrs[i].len,
			   (const char *)t->xattrs[i].value);
	if (t->stored)
		buf_printf(b, " at %llu: ", (unsigned long long)t->data);
	else
		buf_printf(b, "\n");
}

static uint64_t content_left;

static inline int on_entry(void *arg, const struct tar_entry *t)
{
	struct told *told = arg;

	told->entries++;
	content_left = t->stored;
	log_entry(&told->log, t);
	return told->refuse;
}

static inline int on_content(void *arg, const void *data, size_t len)
{
	struct told *told = arg;

	if (len == 0 || len > content_left)
		return -EPROTO;
	content_left -= len;
	buf_append(&told->log, data, len);
	if (content_left == 0)
		buf_append(&told->log, "\n", 1);
	return 0;
}

static const struct reader_ops ops = {on_entry, on_content};

static inline void feed_pieces(struct told *told, size_t piece)
{
	struct reader *r = NULL;
	size_t pos;

	told->rc = reader_new(&ops, told, &r);
	for (pos = 0; told->rc == 0 && pos < archive.len; pos += piece) {
		size_t len = archive.len - pos < piece ? archive.len - pos : piece;
		/* Memory of its own, gone afterwards: nothing may look back into it. */
		char *lent = malloc(len);

		if (!lent)
			exit(77);
		memcpy(lent, archive.data + pos, len);
		told->rc = reader_feed(r, lent, len, &told->err);
		memset(lent, 0xee, len);
		free(lent);
	}
	if (told->rc == 0)
		told->rc = reader_finish(r, &told->err);
	reader_free(r);
}

/* Adds the content from where the entry says that it is, as far as the archive goes. */
static inline int on_scanned(void *arg, const struct tar_entry *t)
{
	struct told *told = arg;
	int rc = on_entry(arg, t);

	if (rc == 0 && t->stored > 0 && t->data < archive.len) {
		uint64_t len = archive.len - t->data;

		rc = on_content(told, archive.data + t->data,
				len < t->stored ? len : t->stored);
	}
	return rc;
}

static inline void scan_source(struct told *told)
{
	struct source *file = NULL;

	if (source_memory(archive.data, archive.len, &file) < 0)
		exit(77);
	told->rc = reader_scan(file, on_scanned, told, &told->err);
	source_unref(file);
}

#define SCAN 0

/* Reads the archive in pieces of @piece bytes, or scans it. */
static inline void tell(struct told *told, size_t piece, int refuse)
{
	*told = (struct told){.refuse = refuse};
	buf_init(&told->log, 64 << 20);
	if (piece == SCAN)
		scan_source(told);
	else
		feed_pieces(told, piece);
}

/* The archive, whole, in pieces and scanned, gives @rc and, unless it is NULL, @log. */
static inline void expect(const char *what, int rc, const char *log)
{
	static const size_t pieces[] = {SCAN, 1, 7, 511, 512, 513, 1024, 10240};
	struct told whole, part;
	size_t i;

	tell(&whole, archive.len ? archive.len : 1, 0);
	is_int(whole.rc, rc, "%s", what);
	if (log)
		is_text(buf_text(&whole.log), log, "%s: as told", what);
	ok((rc < 0) == (whole.err.text[0] != '\0'), "%s: sentence: %s", what,
	   whole.err.text);
	for (i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		tell(&part, pieces[i], 0);
		ok(part.rc == whole.rc && part.log.len == whole.log.len &&
			   memcmp(buf_text(&part.log), buf_text(&whole.log),
				  part.log.len) == 0 &&
			   strcmp(part.err.text, whole.err.text) == 0,
		   "%s: the same in pieces of %zu", what, pieces[i]);
		buf_release(&part.log);
	}
	buf_release(&whole.log);
	buf_clear(&archive);
}

static inline void expect_sentence(const char *what, int rc, const char *part)
{
	struct told told;

	tell(&told, 700, 0);
	is_int(told.rc, rc, "%s", what);
	if (!ok(strstr(told.err.text, part), "%s: says \"%s\"", what, part))
		printf("# it says: %s\n", told.err.text);
	buf_release(&told.log);
	expect(what, rc, NULL);
}

static inline void add_long(char type, const char *text, size_t len)
{
	uint8_t h[HEADER_SIZE];

	header_make(h, "././@LongLink", type, len);
	header_gnu(h);
	archive_header(&archive, h);
	archive_content(&archive, text, len);
}

#endif
