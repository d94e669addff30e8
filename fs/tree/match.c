/* SPDX-License-Identifier: MIT */
/*
 * THE RULES OF THE MERGE
 *
 * A directory of the merged tree has contributors: the layers whose directory at that path
 * is part of it. A name in it is looked for in each of them, from the top layer down. What
 * a layer has under the name decides (match_name() and match_add()):
 *
 *	a file, symlink or device	It is shown, unless a higher layer has a directory of
 *					that name. Lower layers are hidden.
 *	a directory			It contributes, together with the directories of that
 *					name in lower layers, down to the first opaque one.
 *	an opaque directory		It contributes, and no lower layer does.
 *	a char device 0:0		A whiteout in overlayfs's form: lower layers are
 *					hidden.
 *	nothing, or a directory,	A whiteout: lower layers are hidden, but not this
 *	and a file ".wh.NAME"		layer's own directory.
 *	nothing				The next lower layer decides.
 *
 * So a whiteout hides only what is in lower layers, wherever it stood in its archive, and a
 * layer with both `.wh.d` and `d/` shows the new `d` alone.
 *
 * Owner, mode and times are those of the topmost entry that an archive really has. A
 * directory that is only implied by a path below it has none of its own. Then they may come
 * from a layer below an opaque directory: that hides the lower layers' children, not the
 * metadata of the directory itself.
 *
 * A hard link leads to what its own layer has at the path of its target, and else to what
 * the lower layers show there (bind_link() in merge.c); a link without a target is not
 * shown.
 */
#include "fs/tree/match.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define MARKER	   ".wh."
#define MARKER_LEN 4

bool match_hides(const char *name, size_t len)
{
	return len == 0 || len > NAME_MAX ||
	       (len >= MARKER_LEN && memcmp(name, MARKER, MARKER_LEN) == 0);
}

/* Overlayfs keeps its state in these; those of a layer below it would mislead it. */
bool match_hides_xattr(const char *name, size_t len)
{
	static const char *const hidden[] = {"trusted.overlay.", "user.overlay."};
	size_t i;

	for (i = 0; i < 2; i++) {
		size_t n = strlen(hidden[i]);

		if (len >= n && memcmp(name, hidden[i], n) == 0)
			return true;
	}
	return false;
}

int match_compare(const char *a, size_t a_len, const char *b, size_t b_len)
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
	    match_compare(c->entry.name, c->entry.name_len, name, len) != 0)
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

/* The topmost entry that an archive really has gives the metadata. */
static void match_describe(struct match *m, uint32_t layer, const struct entry *e)
{
	if (m->is_described || (e->flags & ENTRY_IMPLIED))
		return;
	m->is_described = true;
	m->entry = *e;
	m->layer = layer;
}

/* Which of two layers wins is decided here: the layers come from the top down. */
bool match_add(struct match *m, uint32_t layer, const struct entry *e)
{
	if (e->flags & ENTRY_WHITEOUT)
		return true;
	if (!S_ISDIR(e->mode)) {
		if (!m->is_dir)
			match_describe(m, layer, e);
		return true;
	}
	match_describe(m, layer, e);
	m->is_dir = true;
	if (!m->is_closed)
		m->contributors[m->n++] = (struct place){layer, e->id};
	if (e->flags & ENTRY_OPAQUE)
		m->is_closed = true;
	return m->is_closed && m->is_described;
}

void match_init(struct match *m)
{
	/* Not a memset(): it has room for a thousand contributors. */
	m->is_dir = false;
	m->is_described = false;
	m->is_closed = false;
	m->n = 0;
}

int match_name(const struct tree_layer *layers, const struct place *contributors,
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
