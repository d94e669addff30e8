/* SPDX-License-Identifier: MIT */
#include "tar/archive/sparse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/err.h"
#include "base/num.h"
#include "tar/archive/header.h"

#define FIELD_LEN  12
#define MAX_DIGITS 19 /* of 2^63-1 */

void sparse_init(struct sparse_map *m)
{
	*m = (struct sparse_map){0};
}

void sparse_release(struct sparse_map *m)
{
	free(m->extents);
	sparse_init(m);
}

void sparse_clear(struct sparse_map *m)
{
	*m = (struct sparse_map){.extents = m->extents};
}

static int sparse_grow(struct sparse_map *m, struct err *e)
{
	if (m->n == SPARSE_MAX_EXTENTS)
		return err_set(e, -E2BIG, "the sparse map has more than %u extents",
			       SPARSE_MAX_EXTENTS);
	if (array_grow(&m->extents, m->n, sizeof(*m->extents)) < 0)
		return err_set(e, -ENOMEM, "out of memory");
	return 0;
}

/* GNU repeats the file's size as an extent of length 0. Only its position counts. */
static int extent_add(struct sparse_map *m, uint64_t off, uint64_t len, struct err *e)
{
	int rc;

	if (off < m->end)
		return err_set(e, -EBADMSG,
			       "the sparse map's extents overlap or descend");
	if (!range_fits(off, len, INT64_MAX))
		return err_set(e, -EBADMSG, "the sparse map goes beyond 2^63-1");
	m->end = off + len;
	if (len == 0)
		return 0;
	if ((rc = sparse_grow(m, e)) < 0)
		return rc;
	m->extents[m->n++] = (struct extent){.off = off, .len = len};
	m->stored += len;
	return 0;
}

/* Unused pairs are NULs. */
int sparse_add_gnu(struct sparse_map *m, const uint8_t *pairs, size_t n, struct err *e)
{
	int64_t off, len;
	int rc;

	for (; n > 0 && pairs[0] != '\0'; n--, pairs += 2 * FIELD_LEN) {
		if (!header_number(pairs, FIELD_LEN, &off) ||
		    !header_number(pairs + FIELD_LEN, FIELD_LEN, &len) || off < 0 ||
		    len < 0)
			return err_set(e, -EBADMSG,
				       "the sparse map has a field that is not a number");
		rc = extent_add(m, (uint64_t)off, (uint64_t)len, e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int sparse_add_offset(struct sparse_map *m, uint64_t off, struct err *e)
{
	if (m->has_off)
		return err_set(e, -EBADMSG,
			       "the sparse map has an offset without a length");
	m->off = off;
	m->has_off = true;
	return 0;
}

int sparse_add_length(struct sparse_map *m, uint64_t len, struct err *e)
{
	if (!m->has_off)
		return err_set(e, -EBADMSG,
			       "the sparse map has a length without an offset");
	m->has_off = false;
	return extent_add(m, m->off, len, e);
}

int sparse_add_list(struct sparse_map *m, const char *text, size_t len, struct err *e)
{
	const char *end = text + len, *comma;
	uint64_t v;
	int rc;

	for (;; text = comma + 1) {
		comma = memchr(text, ',', (size_t)(end - text));
		if (!comma)
			comma = end;
		if (!num_parse(text, (size_t)(comma - text), INT64_MAX, &v))
			return err_set(e, -EBADMSG,
				       "the sparse map has a field that is not a number");
		rc = m->has_off ? sparse_add_length(m, v, e) : sparse_add_offset(m, v, e);
		if (rc < 0 || comma == end)
			return rc;
	}
}

/* Takes a complete line of form 1.0. Returns 1 after the last line. */
static int line_end(struct sparse_map *m, struct err *e)
{
	int rc;

	if (!m->has_count) {
		if (m->number > SPARSE_MAX_EXTENTS)
			return err_set(e, -E2BIG,
				       "the sparse map has more than %u extents",
				       SPARSE_MAX_EXTENTS);
		m->has_count = true;
		m->pairs_left = m->number;
	} else if (!m->has_off) {
		return sparse_add_offset(m, m->number, e);
	} else {
		rc = sparse_add_length(m, m->number, e);
		if (rc < 0)
			return rc;
		m->pairs_left--;
	}
	return m->pairs_left == 0;
}

int sparse_feed(struct sparse_map *m, const uint8_t *data, size_t len, struct err *e)
{
	size_t i;
	int rc;

	for (i = 0; i < len; i++) {
		unsigned digit = data[i] - (unsigned)'0';

		if (data[i] == '\n' && m->digits > 0) {
			rc = line_end(m, e);
			if (rc != 0)
				return rc;
			m->number = m->digits = 0;
		} else if (digit <= 9 && m->digits < MAX_DIGITS) {
			m->number = m->number * 10 + digit; /* 19 digits fit 64 bits */
			m->digits++;
		} else {
			return err_set(e, -EBADMSG,
				       "the sparse map has a field that is not a number");
		}
	}
	return 0;
}

int sparse_check(const struct sparse_map *m, uint64_t size, uint64_t stored,
		 struct err *e)
{
	if (m->has_off)
		return err_set(e, -EBADMSG,
			       "the sparse map has an offset without a length");
	if (m->end > size)
		return err_set(e, -EBADMSG, "the sparse map goes beyond the file's size");
	if (m->stored != stored)
		return err_set(e, -EBADMSG,
			       "the sparse map has %llu bytes, the archive %llu",
			       (unsigned long long)m->stored, (unsigned long long)stored);
	return 0;
}
