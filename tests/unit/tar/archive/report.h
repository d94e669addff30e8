/* SPDX-License-Identifier: MIT */
/*
 * Turns the reports of a tar reader into text, one line for each entry, so that tables
 * can state what they expect. Every archive is also read in pieces of other sizes and
 * scanned, which must give the same report.
 */
#ifndef TESTS_UNIT_TAR_ARCHIVE_REPORT_H
#define TESTS_UNIT_TAR_ARCHIVE_REPORT_H

#include <errno.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/source.h"
#include "tar/archive/reader.h"
#include "tests/unit/tarball.h"
#include "tests/unit/test.h"

static struct buf archive;

struct report {
	struct buf log;
	int rc;
	struct err err;
	size_t entries;
	int refuse; /* result of the entry callback */
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
	struct report *report = arg;

	report->entries++;
	content_left = t->stored;
	log_entry(&report->log, t);
	return report->refuse;
}

static inline int on_content(void *arg, const void *data, size_t len)
{
	struct report *report = arg;

	if (len == 0 || len > content_left)
		return -EPROTO;
	content_left -= len;
	buf_append(&report->log, data, len);
	if (content_left == 0)
		buf_append(&report->log, "\n", 1);
	return 0;
}

static const struct reader_ops ops = {on_entry, on_content};

static inline void feed_pieces(struct report *report, size_t piece)
{
	struct reader *r = NULL;
	size_t pos;

	report->rc = reader_new(&ops, report, &r);
	for (pos = 0; report->rc == 0 && pos < archive.len; pos += piece) {
		size_t len = archive.len - pos < piece ? archive.len - pos : piece;
		/* A copy, freed afterwards: the reader must not use it later. */
		char *lent = malloc(len);

		if (!lent)
			exit(77);
		memcpy(lent, archive.data + pos, len);
		report->rc = reader_feed(r, lent, len, &report->err);
		memset(lent, 0xee, len);
		free(lent);
	}
	if (report->rc == 0)
		report->rc = reader_finish(r, &report->err);
	reader_free(r);
}

/* Adds the content from where the entry says it is, as far as the archive reaches. */
static inline int on_scanned(void *arg, const struct tar_entry *t)
{
	struct report *report = arg;
	int rc = on_entry(arg, t);

	if (rc == 0 && t->stored > 0 && t->data < archive.len) {
		uint64_t len = archive.len - t->data;

		rc = on_content(report, archive.data + t->data,
				len < t->stored ? len : t->stored);
	}
	return rc;
}

static inline void scan_source(struct report *report)
{
	struct source *file = NULL;

	if (source_memory(archive.data, archive.len, &file) < 0)
		exit(77);
	report->rc = reader_scan(file, on_scanned, report, &report->err);
	source_unref(file);
}

#define SCAN 0

/* Reads the archive in pieces of @piece bytes, or scans it. */
static inline void read_archive(struct report *report, size_t piece, int refuse)
{
	*report = (struct report){.refuse = refuse};
	buf_init(&report->log, 64 << 20);
	if (piece == SCAN)
		scan_source(report);
	else
		feed_pieces(report, piece);
}

/*
 * Reads the archive whole, in pieces and by a scan, and expects @rc and, unless it is
 * NULL, @log.
 */
static inline void expect(const char *what, int rc, const char *log)
{
	static const size_t pieces[] = {SCAN, 1, 7, 511, 512, 513, 1024, 10240};
	struct report whole, part;
	size_t i;

	read_archive(&whole, archive.len ? archive.len : 1, 0);
	is_int(whole.rc, rc, "%s", what);
	if (log)
		is_text(buf_text(&whole.log), log, "%s: as report", what);
	ok((rc < 0) == (whole.err.text[0] != '\0'), "%s: sentence: %s", what,
	   whole.err.text);
	for (i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		read_archive(&part, pieces[i], 0);
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
	struct report report;

	read_archive(&report, 700, 0);
	is_int(report.rc, rc, "%s", what);
	if (!ok(strstr(report.err.text, part), "%s: says \"%s\"", what, part))
		printf("# it says: %s\n", report.err.text);
	buf_release(&report.log);
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
