/* SPDX-License-Identifier: MIT */
/*
 * The rules of the merge, for one name of one directory. The layers that have a say
 * in the directory are asked from the top down:
 *
 *	a whiteout as an entry (char 0:0)	the name ends here
 *	anything but a directory		it is the answer if nothing was found
 *						above it; in any case the name ends here
 *	a directory				has a contributors; below an opaque one nobody has
 *	nothing, or a directory, but ".wh.NAME" beside it	the name ends here
 *
 * So a whiteout acts on the layers below it only, wherever it stood in its archive,
 * and a layer with both `.wh.d` and `d/` shows the new `d` alone. The metadata are
 * those of the topmost entry that an archive really has: a directory that is only
 * implied by a path below it says nothing about itself, and that may lead to an entry
 * below an opaque one, which hides its namesakes' children and not what it is.
 */
#include "fs/tree/match.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define MARKER	   ".wh."
#define MARKER_LEN 4

bool name_is_hidden(const char *name, size_t len)
{
	return len == 0 || len > NAME_MAX ||
	       (len >= MARKER_LEN && memcmp(name, MARKER, MARKER_LEN) == 0);
}

int name_compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
	int order = memcmp(a, b, a_len < b_len ? a_len : b_len);

	if (order)
		return order;
	return a_len < b_len ? -1 : a_len > b_len;
}

static int find_child(const struct index *ix, const struct entry *dir, const char *name,
		      size_t len, const struct cursor *c, struct entry *out)
{
	if (!c)
		return index_find(ix, dir, name, len, out);
	if (c->next >= c->end ||
	    name_compare(c->entry.name, c->entry.name_len, name, len) != 0)
		return -ENOENT;
	*out = c->entry;
	return 0;
}

/* 0 if there is a whiteout of @name in @dir, else -ENOENT or -EBADMSG. */
static int find_whiteout(const struct index *ix, const struct entry *dir,
			 const char *name, size_t len)
{
	char marker[MARKER_LEN + NAME_MAX];
	struct entry e;

	if (!(dir->flags & ENTRY_WHITEOUTS) || len > NAME_MAX)
		return -ENOENT;
	memcpy(marker, MARKER, MARKER_LEN);
	memcpy(marker + MARKER_LEN, name, len);
	return index_find(ix, dir, marker, MARKER_LEN + len, &e);
}

/* Takes an entry as the one whose metadata are shown, unless there is one. */
static void describe(struct match *out, uint32_t layer, const struct entry *e)
{
	if (out->is_described || (e->flags & ENTRY_IMPLIED))
		return;
	out->is_described = true;
	out->entry = *e;
	out->layer = layer;
}

bool match_add(struct match *out, uint32_t layer, const struct entry *e)
{
	if (e->flags & ENTRY_WHITEOUT)
		return true;
	if (!S_ISDIR(e->mode)) {
		if (!out->is_dir)
			describe(out, layer, e);
		return true;
	}
	describe(out, layer, e);
	out->is_dir = true;
	if (!out->is_closed)
		out->contributors[out->n++] = (struct place){.layer = layer,
							     .entry = e->id};
	if (e->flags & ENTRY_OPAQUE)
		out->is_closed = true;
	return out->is_closed && out->is_described;
}

void match_init(struct match *f)
{
	f->is_dir = false;
	f->is_described = false;
	f->is_closed = false;
	f->n = 0;
}

int match_name(const struct merge_layer *layers, const struct place *contributors,
	       size_t n, const char *name, size_t len, const struct cursor *cursors,
	       struct match *out)
{
	struct entry dir, child;
	size_t i;
	int rc;

	match_init(out);
	for (i = 0; i < n; i++) {
		const struct index *ix = layers[contributors[i].layer].index;

		rc = index_entry(ix, contributors[i].entry, &dir);
		if (rc < 0)
			return rc == -ENOENT ? -EBADMSG : rc;
		rc = find_child(ix, &dir, name, len, cursors ? &cursors[i] : NULL,
				&child);
		if (rc == 0 && match_add(out, contributors[i].layer, &child))
			break;
		if (rc < 0 && rc != -ENOENT)
			return rc;
		rc = find_whiteout(ix, &dir, name, len);
		if (rc == 0)
			break;
		if (rc != -ENOENT)
			return rc;
	}
	return out->is_dir || out->is_described ? 0 : -ENOENT;
}
