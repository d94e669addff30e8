/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "fs/node/locate.h"
#include "fs/tree/merge.h"
#include "fs/image/context.h"
#include "fs/names/namespace.h"
#include "fs/node/raw.h"
#include "fs/node/nodes.h"
#include "tar/layer.h"

/* Overlayfs keeps its own notes in these; of a layer below it they would mislead it. */
static bool is_shown_xattr(const struct xattr *x)
{
	static const char *const hidden[] = {"trusted.overlay.", "user.overlay."};
	size_t i;

	for (i = 0; i < 2; i++) {
		size_t len = strlen(hidden[i]);

		if (x->name_len >= len && memcmp(x->name, hidden[i], len) == 0)
			return false;
	}
	return true;
}

/* Whose xattrs a node shows, and where they begin; *pos is 0 if there are none. */
static int find_xattrs(const struct located *p, struct mount_layer **l, uint64_t *pos)
{
	struct merged_dir *dir;
	struct attributes s = {0};
	int rc = 0;

	*l = NULL;
	*pos = 0;
	if (p->node.kind == NODE_FILE) {
		s.mount_number = p->node.layer;
		s.is_described = true;
		rc = located_file(p, &s.entry);
	} else if (p->node.kind == NODE_MERGED) {
		rc = located_dir(p, &dir);
		if (rc < 0)
			return rc;
		rc = merge_describe(p->merge, dir, &s);
		merged_dir_unref(dir);
		if (rc < 0)
			return merge_failed(p->mount, rc);
	} else if (p->node.kind == NODE_RAW) {
		rc = raw_describe(p->view, &p->node, &s);
		if (rc == -EBADMSG)
			return index_failed(p->mount, NULL, rc);
	}
	if (rc == 0 && s.is_described) {
		*l = layers_get(p->mount, s.mount_number);
		*pos = s.entry.xattrs;
	}
	return rc;
}

/*
 * `ls -l` asks this of every file, and no kernel keeps the answer. That there are no
 * labels here it remembers itself, and asks no more.
 */
static int none(const char *name)
{
	return strcmp(name, "security.selinux") == 0 ? -EOPNOTSUPP : -ENODATA;
}

static ssize_t get(const struct located *p, const char *name, void *buf, size_t size)
{
	struct mount_layer *l;
	struct xattr x;
	uint64_t pos;
	int rc = find_xattrs(p, &l, &pos);

	while (rc == 0 && pos != 0) {
		rc = index_xattr(layer_index(l->layer), &pos, &x);
		if (rc < 0)
			return index_failed(p->mount, l, rc);
		if (x.name_len != strlen(name) || memcmp(x.name, name, x.name_len) != 0 ||
		    !is_shown_xattr(&x))
			continue;
		if (size == 0)
			return (ssize_t)x.value_len;
		if (x.value_len > size)
			return -ERANGE;
		memcpy(buf, x.value, x.value_len);
		return (ssize_t)x.value_len;
	}
	return rc < 0 ? rc : none(name);
}

ssize_t nodes_getxattr(struct mount *m, uint64_t id, const char *name, void *buf,
		       size_t size, struct waiter *w)
{
	struct located p;
	ssize_t rc;

	if (namespace_has(m, id))
		return none(name);
	rc = locate(m, id, w, &p);
	if (rc == 0)
		rc = get(&p, name, buf, size);
	located_release(&p);
	return rc;
}

static ssize_t list(const struct located *p, char *buf, size_t size)
{
	struct mount_layer *l;
	struct xattr x;
	uint64_t pos;
	size_t len = 0;
	int rc = find_xattrs(p, &l, &pos);

	while (rc == 0 && pos != 0) {
		rc = index_xattr(layer_index(l->layer), &pos, &x);
		if (rc < 0)
			return index_failed(p->mount, l, rc);
		if (!is_shown_xattr(&x))
			continue;
		if (size > 0) {
			if (x.name_len + 1 > size - len)
				return -ERANGE;
			memcpy(buf + len, x.name, x.name_len);
			buf[len + x.name_len] = '\0';
		}
		len += x.name_len + 1;
	}
	return rc < 0 ? rc : (ssize_t)len;
}

ssize_t nodes_listxattr(struct mount *m, uint64_t id, char *buf, size_t size,
			struct waiter *w)
{
	struct located p;
	ssize_t rc;

	if (namespace_has(m, id))
		return 0;
	rc = locate(m, id, w, &p);
	if (rc == 0)
		rc = list(&p, buf, size);
	located_release(&p);
	return rc;
}
