/* SPDX-License-Identifier: MIT */
/*
 * All that an index says, asked through every accessor: a line for each question. What
 * is damaged gives the line "bad", and an answer that no index may give ends the
 * program.
 */
#ifndef TESTS_UNIT_ANSWERS_H
#define TESTS_UNIT_ANSWERS_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/digest.h"
#include "tar/index/index.h"

/* Of a hostile index not all children and runs are gone through: there is no end. */
#define ANSWERS_MAX 300

struct answers {
	struct buf text;
	size_t line; /* where the last one begins */
	unsigned n_bad;
};

/* Without memory for the answers there is nothing to say. */
#define answer(a, ...)                                       \
	do {                                                 \
		if (buf_printf(&(a)->text, __VA_ARGS__) < 0) \
			exit(77);                            \
	} while (0)

static inline void answers_must(bool holds)
{
	if (!holds)
		abort();
}

static inline void answers_end(struct answers *a, int rc)
{
	answers_must(rc == 0 || rc == -EBADMSG);
	if (rc < 0) {
		a->text.len = a->line;
		a->n_bad++;
		answer(a, "bad");
	}
	answer(a, "\n");
	a->line = a->text.len;
}

/* Bytes as a short text that changes when they do; reads them all. */
static inline unsigned answers_sum(const void *data, size_t len)
{
	const unsigned char *p = data;
	unsigned sum = 5381;

	while (len-- > 0)
		sum = sum * 33 ^ *p++;
	return sum;
}

static inline int answers_entry(struct answers *a, const struct index *ix, uint32_t id,
				struct entry *e)
{
	int rc = index_entry(ix, id, e);

	if (rc < 0)
		return rc;
	answers_must(e->id == id && e->inode < index_info(ix)->n_entries);
	answers_must(id ? e->parent < id : e->parent == 0 && S_ISDIR(e->mode));
	answers_must(e->name && e->name_len <= 255);
	answers_must(!e->n_children ||
		     (e->first_child > id && e->first_child + (uint64_t)e->n_children <=
						     index_info(ix)->n_entries));
	answer(a, "%u %u %u %x %o %u:%u %u %lld.%u %u:%u %llu @%llu %u+%u %x %x %x", id,
	       e->inode, e->parent, e->flags, e->mode, e->uid, e->gid, e->nlink,
	       (long long)e->mtime, e->mtime_ns, e->rdev_major, e->rdev_minor,
	       (unsigned long long)e->size, (unsigned long long)e->data, e->first_child,
	       e->n_children, answers_sum(e->name, e->name_len),
	       answers_sum(e->link ? e->link : "", e->link ? e->link_len : 0),
	       e->digest ? answers_sum(e->digest, 32) : 0);
	return 0;
}

static inline int answers_children(struct answers *a, const struct index *ix,
				   const struct entry *dir)
{
	struct entry e, found;
	uint32_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < dir->n_children && i < ANSWERS_MAX; i++) {
		rc = index_entry(ix, dir->first_child + i, &e);
		if (rc == 0)
			rc = index_find(ix, dir, e.name, e.name_len, &found);
		if (rc == -ENOENT) { /* names out of order: hostile, and harmless */
			answer(a, "lost ");
			rc = 0;
		} else if (rc == 0) {
			answer(a, "%u ", found.id);
		}
	}
	if (rc == 0) {
		rc = index_find(ix, dir, "no such name", 12, &found);
		answer(a, "%d", rc);
		rc = rc == -ENOENT ? 0 : rc;
	}
	return rc;
}

static inline int answers_xattrs(struct answers *a, const struct index *ix,
				 const struct entry *e)
{
	uint64_t pos = e->xattrs;
	struct xattr x;
	unsigned n;
	int rc = 0;

	for (n = 0; pos != 0 && rc == 0 && n < ANSWERS_MAX; n++) {
		rc = index_xattr(ix, &pos, &x);
		if (rc == 0)
			answer(a, "%x=%x ", answers_sum(x.name, x.name_len),
			       answers_sum(x.value, x.value_len));
	}
	return rc;
}

static inline int answers_content(struct answers *a, const struct index *ix,
				  const struct entry *e)
{
	uint64_t off = 0, len, data, stored;
	unsigned n;
	int rc = index_stored(ix, e, &stored);

	if (rc == 0)
		answer(a, "%llu ", (unsigned long long)stored);
	for (n = 0; rc == 0 && off < e->size && n < ANSWERS_MAX; n++) {
		len = e->size - off;
		rc = index_extent(ix, e, off, &len, &data);
		if (rc < 0)
			break;
		answers_must(len > 0 && len <= e->size - off);
		answers_must(data == UINT64_MAX ||
			     (data <= index_info(ix)->decoded_size &&
			      len <= index_info(ix)->decoded_size - data));
		answer(a, "%llu@%lld ", (unsigned long long)len, (long long)data);
		off += len;
	}
	return rc;
}

static inline int answers_span(struct answers *a, const struct index *ix, uint32_t i)
{
	struct span sp;
	uint32_t n;
	int rc = index_span(ix, i, &sp);

	if (rc < 0)
		return rc;
	answers_must(span_is_sane(&sp, index_info(ix)->blob_size));
	answers_must(sp.out + sp.out_len <= index_info(ix)->decoded_size);
	answer(a, "span %d %u %llu+%llu %llu+%llu %llu %x %x %d %x ", (int)sp.kind,
	       sp.bits, (unsigned long long)sp.in, (unsigned long long)sp.in_len,
	       (unsigned long long)sp.out, (unsigned long long)sp.out_len,
	       (unsigned long long)sp.skip,
	       answers_sum(sp.window ? sp.window : "", sp.window ? sp.window_len : 0),
	       answers_sum(sp.digest, 32), sp.has_crc, sp.crc);
	rc = index_span_at(ix, sp.out + sp.out_len - 1, &n);
	if (rc == 0) {
		answers_must(n < index_info(ix)->n_spans);
		answer(a, "%u", n);
	}
	return rc;
}

static inline void answers_entries(struct answers *a, const struct index *ix)
{
	struct entry e;
	uint32_t id;
	int rc;

	for (id = 0; id < index_info(ix)->n_entries; id++) {
		rc = answers_entry(a, ix, id, &e);
		answers_end(a, rc);
		if (rc < 0)
			continue;
		answers_end(a, answers_children(a, ix, &e));
		answers_end(a, answers_xattrs(a, ix, &e));
		answers_end(a, S_ISREG(e.mode) ? answers_content(a, ix, &e) : 0);
	}
	answers_must(index_entry(ix, id, &e) == -ENOENT);
	answers_must(index_entry(ix, UINT32_MAX, &e) == -ENOENT);
}

static inline void answers_rest(struct answers *a, const struct index *ix)
{
	const char *text = "";
	uint32_t i, id;
	size_t len = 0;
	int rc;

	for (i = 0; i < index_info(ix)->n_spans; i++)
		answers_end(a, answers_span(a, ix, i));
	for (i = 0; i < index_info(ix)->n_foreign; i++) {
		rc = index_foreign(ix, i, &id);
		answer(a, "foreign %u", rc == 0 ? id : 0);
		answers_end(a, rc);
	}
	rc = index_skipped(ix, &text, &len);
	if (rc == 0)
		answer(a, "skipped %x", answers_sum(text, len));
	answers_end(a, rc);
}

static inline void answers_init(struct answers *a)
{
	*a = (struct answers){.n_bad = 0};
	buf_init(&a->text, 256 << 20);
}

static inline void answers_all(struct answers *a, const struct index *ix)
{
	const struct index_info *info = index_info(ix);

	buf_clear(&a->text);
	a->line = 0;
	a->n_bad = 0;
	answer(a, "%llu %llu %llu %u %u %u %u %d %d %d",
	       (unsigned long long)info->blob_size,
	       (unsigned long long)info->decoded_size,
	       (unsigned long long)info->content_size, info->n_entries, info->n_spans,
	       info->n_foreign, info->n_skipped, info->has_xattrs, info->has_sparse,
	       info->compression);
	answers_end(a, 0);
	answers_entries(a, ix);
	answers_rest(a, ix);
}

#endif
