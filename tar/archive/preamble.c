/* SPDX-License-Identifier: MIT */
/*
 * The block before the content is the file's header, which is enough in most cases. If
 * its path or size differs from the file's, they are in records before it (pax, GNU long
 * names). Their headers are found by searching backwards for a header whose records reach
 * exactly to the next one.
 */
#include "tar/archive/preamble.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "tar/archive/header.h"
#include "tar/archive/reader.h"

/* Records of a path, a link and some xattrs take a few KiB. */
#define REACH	    (64u << 10)
#define RECORDS_MAX 8 /* in a row */

static int wrong_place(struct err *e)
{
	return err_set(e, -EBADMSG, "the file is not where the table of contents says");
}

static bool name_matches(const struct preamble_want *w, const char *path, size_t len)
{
	return !w->is_named || w->is_named(w->named, path, len);
}

static bool is_records(const uint8_t *block, uint64_t room)
{
	struct header h;

	if (header_parse(block, &h, NULL) < 0)
		return false;
	switch (header_kind(&h)) {
	case HEADER_PAX:
	case HEADER_GLOBAL:
	case HEADER_LONG_NAME:
	case HEADER_LONG_LINK:
		return h.size <= room &&
		       (h.size + HEADER_SIZE - 1) / HEADER_SIZE * HEADER_SIZE == room;
	default:
		return false;
	}
}

/* The offset in @data where records begin that end at @end, or @end if there are none. */
static size_t records_before(const uint8_t *data, size_t end)
{
	size_t at;

	for (at = end; at >= 2 * HEADER_SIZE;) {
		at -= HEADER_SIZE;
		if (is_records(data + at - HEADER_SIZE, end - at))
			return at - HEADER_SIZE;
	}
	return end;
}

struct search {
	const struct preamble_want *want;
	/* where the content begins, counted from the start of the records */
	uint64_t data;
	bool is_found;
};

static int preamble_on_entry(void *arg, const struct tar_entry *te)
{
	struct search *t = arg;

	t->is_found = te->data == t->data && te->size == t->want->size &&
		      !te->is_sparse && S_ISREG(te->mode) &&
		      name_matches(t->want, te->path, te->path_len);
	return 0;
}

/* Parses the records and the header at the end of @data as a tar. */
static int read_as_tar(const uint8_t *data, size_t len, const struct preamble_want *want,
		       struct err *e)
{
	static const struct reader_ops ops = {.entry = preamble_on_entry};
	struct search search = {.want = want, .data = len};
	struct reader *r;
	int rc = reader_new(&ops, &search, &r);

	if (rc < 0)
		return err_set(e, rc, "out of memory");
	rc = reader_feed(r, data, len, e);
	reader_free(r);
	if (rc == -ENOMEM)
		return rc;
	return search.is_found ? 0 : wrong_place(e);
}

static int check_records(preamble_read_fn *read, void *arg,
			 const struct preamble_want *want, struct err *e)
{
	size_t len = want->data < REACH ? (size_t)want->data : REACH, at, end, i;
	uint8_t *data = malloc(len);
	int rc = data ? read(arg, data, len, want->data - len, e)
		      : err_set(e, -ENOMEM, "out of memory");

	at = len - HEADER_SIZE;
	for (i = 0; rc == 0 && i < RECORDS_MAX; i++) {
		end = at;
		at = records_before(data, end);
		if (at == end)
			break;
	}
	if (rc == 0)
		rc = read_as_tar(data + at, len - at, want, e);
	free(data);
	return rc;
}

int preamble_check(preamble_read_fn *read, void *arg, const struct preamble_want *want,
		   struct err *e)
{
	uint8_t block[HEADER_SIZE];
	struct header h;
	int rc;

	if (want->data < HEADER_SIZE || want->data % HEADER_SIZE != 0)
		return wrong_place(e);
	rc = read(arg, block, HEADER_SIZE, want->data - HEADER_SIZE, e);
	if (rc < 0)
		return rc;
	if (header_parse(block, &h, NULL) < 0 || header_kind(&h) != HEADER_ENTRY ||
	    !S_ISREG(header_file_type(&h)))
		return wrong_place(e);
	if (h.size == want->size && name_matches(want, h.name, h.name_len))
		return 0;
	return check_records(read, arg, want, e);
}
