/* SPDX-License-Identifier: MIT */
/*
 * WHITEOUTS, AS OVERLAYFS WANTS THEM
 *
 *	.wh.NAME, and no NAME	a device 0:0 with that name, without permissions
 *	.wh.NAME and a file	the file
 *	.wh.NAME and NAME/	NAME/, opaque
 *	.wh..wh..opq		its directory is opaque
 *	other .wh..wh.*		nothing: bookkeeping of aufs
 *
 * A directory with whiteouts also has an empty trusted.overlay.origin. Without it overlayfs
 * would list the devices where no lower layer has the directory. Xattrs of overlayfs that an
 * archive brings are left out, as in the merged tree.
 *
 * Whiteouts are in order among themselves once ".wh." is cut off, and so are the other
 * names, so that a list is a merge of the two.
 */
#include "fs/erofs/layer_tree.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "fs/erofs/entry.h"
#include "fs/tree/match.h"
#include "fs/tree/node.h"
#include "fs/tree/overlay.h"

/* Places in the xattrs of an inode that are not in the index, behind those that are. */
#define AT_OPAQUE (UINT64_MAX - 2)
#define AT_ORIGIN (UINT64_MAX - 1)
#define AT_END	  UINT64_MAX

static int damaged(int rc)
{
	return rc == -ENOENT ? -EBADMSG : rc;
}

/* THE WALK ALONG A DIRECTORY */

/* Children of one sort, in order. */
struct run {
	uint32_t next, end;
	bool of_whiteouts;
	bool has; /* there is one: */
	struct entry entry;
	const char *name;
	size_t len;
};

static int run_next(const struct layer_tree *t, const struct entry *dir, struct run *r)
{
	struct entry *e = &r->entry;
	int rc = 0;

	while (rc == 0 && r->next < r->end) {
		rc = index_entry(t->index, r->next++, e);
		if (rc == 0 && overlay_is_whiteout(e) == r->of_whiteouts)
			rc = overlay_name(t->index, dir, e, &r->name, &r->len);
	}
	r->has = rc == 1;
	return rc < 0 ? damaged(rc) : 0;
}

/* A name that is no whiteout: the inode that it leads to. */
static int take_entry(struct layer_tree *t, const struct run *r, erofs_take *take,
		      void *to)
{
	struct entry e = r->entry;
	struct erofs_inode inode;
	struct node node = {.kind = NODE_FILE, .layer = t->number, .entry = e.inode};
	int rc = 0;

	if (e.inode != e.id)
		rc = index_entry(t->index, e.inode, &e);
	if (rc < 0)
		return damaged(rc);
	erofs_entry_inode(&e, &inode);
	inode.id = S_ISDIR(e.mode) ? e.id : node_pack(&node);
	inode.of = &e;
	return take(to, r->name, r->len, &inode);
}

static int take_whiteout(const struct run *r, erofs_take *take, void *to)
{
	const struct entry *e = &r->entry;
	/* No file's: a name of a file may be a hard link to the entry of a whiteout. */
	struct node node = {.kind = NODE_RAW, .entry = e->id};
	struct entry none = {.mode = S_IFCHR};
	struct erofs_inode inode = {
		.id = node_pack(&node),
		.mode = S_IFCHR,
		.uid = e->uid,
		.gid = e->gid,
		.nlink = 1,
		.mtime = e->mtime,
		.mtime_ns = e->mtime_ns,
		.of = &none,
	};

	return take(to, r->name, r->len, &inode);
}

/* The first name of the two runs, which have none in common. Moves behind it. */
static int take_first(struct layer_tree *t, const struct entry *dir, struct run *names,
		      struct run *whiteouts, erofs_take *take, void *to)
{
	bool is_whiteout = !names->has || (whiteouts->has &&
					   match_compare(whiteouts->name, whiteouts->len,
							 names->name, names->len) < 0);
	struct run *r = is_whiteout ? whiteouts : names;
	int rc = is_whiteout ? take_whiteout(r, take, to) : take_entry(t, r, take, to);

	return rc < 0 ? rc : run_next(t, dir, r);
}

static int layer_dir(const struct layer_tree *t, uint64_t id, struct entry *out)
{
	int rc = id > UINT32_MAX ? -EBADMSG : index_entry(t->index, (uint32_t)id, out);

	if (rc == 0 && !S_ISDIR(out->mode))
		rc = -EBADMSG;
	return damaged(rc);
}

static int layer_list(void *arg, uint64_t id, erofs_take *take, void *to)
{
	struct run names = {0}, whiteouts = {.of_whiteouts = true};
	struct layer_tree *t = arg;
	struct entry dir;
	int rc = layer_dir(t, id, &dir);

	if (rc < 0)
		return rc;
	names.next = whiteouts.next = dir.first_child;
	names.end = dir.first_child + dir.n_children;
	if (dir.flags & ENTRY_WHITEOUTS)
		whiteouts.end = names.end;
	rc = run_next(t, &dir, &names);
	if (rc == 0)
		rc = run_next(t, &dir, &whiteouts);
	while (rc == 0 && (names.has || whiteouts.has))
		rc = take_first(t, &dir, &names, &whiteouts, take, to);
	return rc;
}

static int layer_describe(void *arg, uint64_t id, struct erofs_inode *out)
{
	struct layer_tree *t = arg;
	int rc = layer_dir(t, id, &t->dir);

	if (rc < 0)
		return rc;
	erofs_entry_inode(&t->dir, out);
	out->id = id;
	out->of = &t->dir;
	return 0;
}

/* XATTRS */

/* What overlayfs is to know of a directory, at *@pos or behind it. */
static int overlay_xattr(const struct index *ix, const struct entry *e, uint64_t *pos,
			 struct xattr *out)
{
	static const struct xattr opaque = {"trusted.overlay.opaque", 22, OVERLAY_OPAQUE,
					    1};
	static const struct xattr origin = {"trusted.overlay.origin", 22, "", 0};
	int is = 0;

	if (*pos == AT_OPAQUE) {
		is = overlay_is_opaque(ix, e);
		*out = opaque;
		*pos = AT_ORIGIN;
	}
	if (is == 0 && *pos == AT_ORIGIN) {
		is = (e->flags & ENTRY_WHITEOUTS) != 0;
		*out = origin;
		*pos = AT_END;
	}
	return is;
}

static int layer_xattr(void *arg, const struct erofs_inode *inode, uint64_t *pos,
		       struct xattr *out)
{
	const struct index *ix = ((struct layer_tree *)arg)->index;
	const struct entry *e = inode->of;
	uint64_t behind = S_ISDIR(e->mode) ? AT_OPAQUE : AT_END;
	int rc;

	if (*pos == 0)
		*pos = e->xattrs ? e->xattrs : behind;
	while (*pos < AT_OPAQUE) {
		rc = index_xattr(ix, pos, out);
		if (rc < 0)
			return rc;
		if (*pos == 0)
			*pos = behind;
		if (!match_hides_xattr(out->name, out->name_len))
			return 1;
	}
	return overlay_xattr(ix, e, pos, out);
}

static int layer_data(void *arg, const struct erofs_inode *inode, uint64_t off,
		      uint64_t *at)
{
	return erofs_entry_data(((struct layer_tree *)arg)->index, inode->of, inode->size,
				off, at);
}

void layer_tree_init(struct layer_tree *t, const struct index *ix, uint32_t number)
{
	t->index = ix;
	t->number = number;
	t->tree = (struct erofs_tree){.arg = t,
				      .root = 0,
				      .describe = layer_describe,
				      .list = layer_list,
				      .xattr = layer_xattr,
				      .data = layer_data};
}
