/* SPDX-License-Identifier: MIT */
#include "tar/index/same.h"

#include <string.h>

#include "tar/index/index.h"

static bool same_text(const char *a, size_t a_len, const char *b, size_t b_len)
{
	return a_len == b_len && (a_len == 0 || memcmp(a, b, a_len) == 0);
}

static bool same_xattrs(const struct index *a, uint64_t at, const struct index *b,
			uint64_t bt)
{
	struct xattr x, y;

	while (at && bt) {
		if (index_xattr(a, &at, &x) < 0 || index_xattr(b, &bt, &y) < 0 ||
		    !same_text(x.name, x.name_len, y.name, y.name_len) ||
		    !same_text(x.value, x.value_len, y.value, y.value_len))
			return false;
	}
	return !at && !bt;
}

static bool same_entry(const struct entry *a, const struct entry *b)
{
	return a->inode == b->inode && a->parent == b->parent && a->flags == b->flags &&
	       a->mode == b->mode && a->uid == b->uid && a->gid == b->gid &&
	       a->nlink == b->nlink && a->mtime == b->mtime &&
	       a->mtime_ns == b->mtime_ns && a->rdev_major == b->rdev_major &&
	       a->rdev_minor == b->rdev_minor && a->size == b->size &&
	       a->first_child == b->first_child && a->n_children == b->n_children &&
	       same_text(a->name, a->name_len, b->name, b->name_len) &&
	       same_text(a->link, a->link_len, b->link, b->link_len);
}

bool same_tree(const struct index *a, const struct index *b)
{
	uint32_t i, n = index_info(a)->n_entries;
	struct entry x, y;

	if (index_info(b)->n_entries != n)
		return false;
	for (i = 0; i < n; i++) {
		if (index_entry(a, i, &x) < 0 || index_entry(b, i, &y) < 0 ||
		    !same_entry(&x, &y) || !same_xattrs(a, x.xattrs, b, y.xattrs))
			return false;
	}
	return true;
}
