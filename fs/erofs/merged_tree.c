/* SPDX-License-Identifier: MIT */
#include "fs/erofs/merged_tree.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "fs/erofs/entry.h"
#include "fs/tree/listing.h"
#include "fs/tree/match.h"
#include "fs/tree/merge.h"
#include "fs/tree/node.h"

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
	if (a->is_described)
		erofs_entry_inode(&a->entry, out);
	else
		*out = (struct erofs_inode){.mode = S_IFDIR | 0755};
	out->id = a->node;
	out->nlink = a->nlink;
	out->of = a;
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

	return erofs_entry_data(index_of(arg, a), &a->entry, inode->size, off, at);
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
