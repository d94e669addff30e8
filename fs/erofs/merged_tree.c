/* SPDX-License-Identifier: MIT */
#include "fs/erofs/merged_tree.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "fs/tree/listing.h"
#include "fs/tree/match.h"
#include "fs/tree/merge.h"
#include "fs/tree/node.h"

#define HOLE UINT64_MAX
/* As a place in a list of xattrs. */
#define NO_MORE UINT64_MAX

/* An error of the merge: what it listed or gave a node to must be there. */
static int merged_failed(int rc)
{
	return rc == -ENOENT || rc == -EINVAL ? -EBADMSG : rc;
}

static int merged_open(struct merge *m, uint64_t id, struct merged_dir **out)
{
	struct node n;

	node_unpack(id, &n);
	return merged_failed(
		merge_dir(m, (struct place){.layer = n.layer, .entry = n.entry}, out));
}

static void fill_inode(const struct attributes *a, struct erofs_inode *out)
{
	const struct entry *e = &a->entry;

	*out = (struct erofs_inode){.id = a->node, .mode = S_IFDIR | 0755, .of = a};
	if (!a->is_described)
		return;
	out->mode = e->mode;
	out->uid = e->uid;
	out->gid = e->gid;
	out->nlink = a->nlink;
	out->mtime = e->mtime;
	out->mtime_ns = e->mtime_ns;
	out->rdev = (uint32_t)makedev(e->rdev_major, e->rdev_minor);
	out->size = e->size;
	out->has_holes = e->flags & ENTRY_SPARSE;
	out->link = e->link;
	out->link_len = e->link_len;
}

static int merged_describe(void *arg, uint64_t dir, struct erofs_inode *out)
{
	struct merged_tree *t = arg;
	struct merged_dir *d;
	int rc = merged_open(t->merge, dir, &d);

	if (rc < 0)
		return rc;
	memset(&t->dir, 0, sizeof(t->dir));
	rc = merge_describe(t->merge, d, &t->dir);
	merged_dir_unref(d);
	if (rc == 0)
		fill_inode(&t->dir, out);
	return merged_failed(rc);
}

static int list_names(struct listing *l, erofs_take *take, void *to)
{
	struct attributes a = {0};
	struct erofs_inode inode;
	const char *name;
	uint64_t cookie;
	size_t len;
	int rc;

	while ((rc = listing_next(l, &name, &len, &a, &cookie)) > 0) {
		fill_inode(&a, &inode);
		rc = take(to, name, len, &inode);
		if (rc < 0)
			return rc;
	}
	return merged_failed(rc);
}

static int merged_list(void *arg, uint64_t dir, erofs_take *take, void *to)
{
	struct merge *m = ((struct merged_tree *)arg)->merge;
	struct listing *l = NULL;
	struct merged_dir *d;
	int rc = merged_open(m, dir, &d);

	if (rc < 0)
		return rc;
	rc = merged_failed(listing_open(m, d, 0, &l));
	if (rc == 0)
		rc = list_names(l, take, to);
	listing_close(l);
	merged_dir_unref(d);
	return rc;
}

/* The layer that has an inode, which is described: an image may have no layers at all. */
static const struct index *index_of(const struct merged_tree *t,
				    const struct attributes *a)
{
	return merge_layers(t->merge)[a->layer].index;
}

static int merged_xattr(void *arg, const struct erofs_inode *inode, uint64_t *pos,
			struct xattr *out)
{
	const struct attributes *a = inode->of;
	int rc;

	if (*pos == 0)
		*pos = a->is_described && a->entry.xattrs ? a->entry.xattrs : NO_MORE;
	while (*pos != NO_MORE) {
		rc = index_xattr(index_of(arg, a), pos, out);
		if (rc < 0)
			return rc;
		if (*pos == 0)
			*pos = NO_MORE;
		if (!match_hides_xattr(out->name, out->name_len))
			return 1;
	}
	return 0;
}

static int merged_data(void *arg, const struct erofs_inode *inode, uint64_t off,
		       uint64_t *at)
{
	const struct attributes *a = inode->of;
	const struct index *ix = index_of(arg, a);
	uint64_t len, data;
	int rc;

	for (; off < inode->size; off += len) {
		len = inode->size - off;
		rc = index_extent(ix, &a->entry, off, &len, &data);
		if (rc < 0)
			return rc;
		if (data != HOLE)
			break;
	}
	*at = off;
	return 0;
}

int merged_tree_init(struct merged_tree *t, struct merge *m)
{
	struct merged_dir *root;
	int rc = merge_root(m, &root);

	if (rc < 0)
		return merged_failed(rc);
	t->merge = m;
	t->tree = (struct erofs_tree){.arg = t,
				      .root = root->node,
				      .describe = merged_describe,
				      .list = merged_list,
				      .xattr = merged_xattr,
				      .data = merged_data};
	merged_dir_unref(root);
	return 0;
}
