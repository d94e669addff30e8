/* SPDX-License-Identifier: MIT */
/*
 * A merged listing without a merged list. In every layer the names of a directory are one
 * sorted run. A cursor stands on each run, and the next name is always the smallest under
 * the cursors: no sort, and no memory that grows with the directory.
 *
 * Cookies number the names of all runs one after the other, the topmost layer's first:
 * names [1, n0], [n0 + 1, n0 + n1], ... A cookie gives the run and the entry, the entry
 * gives the name, and a search for the name sets all other cursors. So nothing stays open
 * between two calls of readdir, and the cookies of even a big directory fit the 32 bits of
 * old programs.
 */
#include "fs/tree/listing.h"

#include <errno.h>
#include <stdlib.h>

#include "fs/tree/match.h"
#include "fs/tree/merge.h"

struct listing {
	const struct merge *m;
	const struct merged_dir *dir;
	struct match match;
	uint64_t *first; /* the cookie of each run's first name */
	struct cursor *cursors;
};

static const struct index *index_of(const struct listing *l, size_t i)
{
	return merge_layers(l->m)[l->dir->contributors[i].layer].index;
}

static int load_cursor(struct listing *l, size_t i)
{
	struct cursor *c = &l->cursors[i];

	return c->next < c->end ? index_entry(index_of(l, i), c->next, &c->entry) : 0;
}

/* Puts the cursor on the first name after @name. */
static int seek_cursor(struct listing *l, size_t i, const char *name, size_t len)
{
	struct cursor *c = &l->cursors[i];
	uint32_t low = c->next, high = c->end;
	int rc;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		rc = index_entry(index_of(l, i), mid, &c->entry);
		if (rc < 0)
			return rc;
		if (match_compare(c->entry.name, c->entry.name_len, name, len) <= 0)
			low = mid + 1;
		else
			high = mid;
	}
	c->next = low;
	return load_cursor(l, i);
}

/* Every cursor at the first name of its run. */
static int rewind_cursors(struct listing *l)
{
	uint64_t first = 1;
	struct entry dir;
	size_t i;
	int rc;

	for (i = 0; i < l->dir->n; i++) {
		rc = index_entry(index_of(l, i), l->dir->contributors[i].entry, &dir);
		if (rc < 0)
			return rc;
		l->first[i] = first;
		first += dir.n_children;
		l->cursors[i].first = dir.first_child;
		l->cursors[i].next = dir.first_child;
		l->cursors[i].end = dir.first_child + dir.n_children;
	}
	l->first[i] = first;
	return 0;
}

/* Every cursor after the name that @cookie stands for. */
static int seek_cookie(struct listing *l, uint64_t cookie)
{
	struct entry e;
	size_t i, run;
	int rc;

	for (run = 0; run < l->dir->n && cookie >= l->first[run + 1]; run++)
		;
	if (run == l->dir->n)
		return -EINVAL;
	rc = index_entry(index_of(l, run),
			 l->cursors[run].first + (uint32_t)(cookie - l->first[run]), &e);
	for (i = 0; rc == 0 && i < l->dir->n; i++)
		rc = seek_cursor(l, i, e.name, e.name_len);
	return rc;
}

int listing_open(const struct merge *m, const struct merged_dir *dir, uint64_t cookie,
		 struct listing **out)
{
	struct listing *l = malloc(sizeof(*l));
	size_t i;
	int rc = -ENOMEM;

	if (!l)
		return -ENOMEM;
	l->m = m;
	l->dir = dir;
	l->first = calloc(dir->n + 1, sizeof(*l->first));
	l->cursors = calloc(dir->n + 1, sizeof(*l->cursors));
	if (!l->first || !l->cursors)
		goto out;
	rc = rewind_cursors(l);
	if (rc == 0 && cookie > 0)
		rc = seek_cookie(l, cookie);
	for (i = 0; rc == 0 && cookie == 0 && i < dir->n; i++)
		rc = load_cursor(l, i);
out:
	if (rc < 0)
		listing_close(l);
	else
		*out = l;
	return rc == -ENOENT ? -EBADMSG : rc;
}

void listing_close(struct listing *l)
{
	if (!l)
		return;
	free(l->first);
	free(l->cursors);
	free(l);
}

/* The topmost cursor with the smallest name; dir->n if all are at their end. */
static size_t find_smallest(const struct listing *l)
{
	size_t i, best = l->dir->n;

	for (i = 0; i < l->dir->n; i++) {
		const struct cursor *c = &l->cursors[i];

		if (c->next < c->end &&
		    (best == l->dir->n ||
		     match_compare(c->entry.name, c->entry.name_len,
				   l->cursors[best].entry.name,
				   l->cursors[best].entry.name_len) < 0))
			best = i;
	}
	return best;
}

/* Moves all cursors that are at @name. */
static int pass_name(struct listing *l, const char *name, size_t len)
{
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < l->dir->n; i++) {
		struct cursor *c = &l->cursors[i];

		if (c->next >= c->end ||
		    match_compare(c->entry.name, c->entry.name_len, name, len) != 0)
			continue;
		c->next++;
		rc = load_cursor(l, i);
	}
	return rc == -ENOENT ? -EBADMSG : rc;
}

int listing_next(struct listing *l, const char **name, size_t *len,
		 struct attributes *out, uint64_t *cookie)
{
	size_t i;
	int rc;

	while ((i = find_smallest(l)) < l->dir->n) {
		const struct cursor *c = &l->cursors[i];
		uint64_t at = l->first[i] + (c->next - c->first);

		*name = c->entry.name;
		*len = c->entry.name_len;
		rc = -ENOENT;
		if (!match_hides(*name, *len))
			rc = match_name(merge_layers(l->m), l->dir->contributors,
					l->dir->n, *name, *len, l->cursors, &l->match);
		if (rc == 0)
			rc = merge_attributes(l->m, &l->match, l->dir->path, out);
		if (rc < 0 && rc != -ENOENT)
			return rc;
		*cookie = at;
		if (pass_name(l, *name, *len) < 0)
			return -EBADMSG;
		if (rc == 0)
			return 1;
	}
	return 0;
}
