/* SPDX-License-Identifier: MIT */
#include "fs/names/namespace.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/err.h"
#include "fs/names/refresh.h"
#include "fs/options/log.h"
#include "fs/image/context.h"
#include "fs/names/name_item.h"
#include "fs/names/name_tree.h"
#include "fs/tree/node.h"
#include "fs/options/options.h"
#include "fs/image/snapshots.h"
#include "fs/node/synthetic.h"
#include "fs/node/nodes.h"
#include "registry/image/reference.h"
#include "registry/source_name.h"

/* SOURCES */

/* As references have it: localhost, or with a dot or a port. */
static bool is_host(const char *text, size_t len)
{
	bool is_local = len == 9 && memcmp(text, "localhost", 9) == 0;

	return len > 0 && len <= REFERENCE_HOST_MAX && reference_is_host(text, len) &&
	       (is_local || memchr(text, '.', len) || memchr(text, ':', len));
}

/* What stands before the names: "", "HOST" or "HOST/PATH". */
static int parse_source(const char *source, char *prefix, size_t size, struct err *e)
{
	const char *text, *path;
	size_t len, host;

	(void)source_name_kind(source, &text);
	if (!text[0])
		text = source; /* "docker://" alone names nothing */
	len = strlen(text);
	while (len > 0 && text[len - 1] == '/')
		len--;
	host = strcspn(text, "/");
	if (len == 0)
		host = 0;
	else if (!is_host(text, host))
		host = 0;
	path = text + host + (host < len && host > 0);
	if ((len > host && !reference_is_path(path, len - (size_t)(path - text))) ||
	    len + sizeof("docker.io/") > size)
		return err_set(e, -EINVAL, "%s: neither a registry nor a part of one",
			       source);
	snprintf(prefix, size, "%s%.*s", len > 0 && host == 0 ? "docker.io/" : "",
		 (int)len, text);
	return 0;
}

/* Completed by a shell, it ends in a slash, too. */
static void warn_of_folder(struct mount *m, const char *source, const char *prefix)
{
	struct stat st;

	if (!prefix[0] || strncmp(prefix, source, strlen(prefix)) == 0 ||
	    stat(source, &st) < 0 || !S_ISDIR(st.st_mode))
		return;
	log_warn(m->log, "%s is %s/, not the directory of that name, which is oci:%s",
		 source, prefix, source);
}

int namespace_new(struct mount *m, const char *source, struct namespace **out,
		  struct err *e)
{
	char prefix[NAME_PATH_MAX];
	struct namespace *ns;
	int rc = parse_source(source, prefix, sizeof(prefix), e);

	if (rc < 0)
		return rc;
	if (m->options->layout != LAYOUT_IMAGE)
		return err_set(e, -EINVAL, "%s: layout=rootfs is for one image", source);
	ns = calloc(1, sizeof(*ns));
	rc = ns ? name_tree_new(prefix, m->options->tag_ttl, &ns->tree) : -ENOMEM;
	if (rc < 0) {
		free(ns);
		return err_set(e, rc, "out of memory");
	}
	warn_of_folder(m, source, prefix);
	*out = ns;
	return 0;
}

void namespace_free(struct namespace *ns)
{
	if (!ns)
		return;
	name_tree_free(ns->tree);
	free(ns);
}

/* NODES */

static struct name_tree *tree_of(const struct mount *m)
{
	return m->namespace->tree;
}

bool namespace_has(const struct mount *m, uint64_t node)
{
	struct node n;

	if (!m->namespace)
		return false;
	node_unpack(node, &n);
	return n.kind == NODE_SYNTHETIC && (n.image == 0 || n.layer >= NAME_ROW_PEELFS);
}

static struct name *dir_of(struct mount *m, uint64_t node)
{
	struct name *dir;
	struct node n;

	node_unpack(node, &n);
	dir = n.layer == NAME_ROW_DIR ? name_tree_get(tree_of(m), n.entry) : NULL;
	return dir && dir->kind == NAME_DIR ? dir : NULL;
}

int namespace_describe(struct mount *m, uint64_t node, struct item *out)
{
	struct name_tree *t = tree_of(m);
	struct name *name;
	struct node n;
	int rc = 0;

	node_unpack(node, &n);
	if (n.layer == NAME_ROW_PEELFS) {
		name_item_peelfs(m, out);
		return 0;
	}
	if (n.layer == NAME_ROW_STATUS)
		return name_item_status(m, n.entry, out);
	name = name_tree_get(t, n.entry);
	if (!name)
		return -ESTALE;
	pthread_mutex_lock(&t->lock);
	if (n.layer == NAME_ROW_DIR && name->kind == NAME_DIR)
		name_item_dir(m, name, out);
	else if (n.layer >= NAME_ROW_TAG && name->kind == NAME_TAG)
		name_item_tag(m, name, (enum name_row)n.layer, out);
	else
		rc = -ESTALE;
	pthread_mutex_unlock(&t->lock);
	/* The node that was asked for, also where another is given out by now. */
	out->node = node;
	return rc;
}

/* IMAGES */

/* Where an image of a repository is seen: beside it, or in it if there is no beside. */
static const struct name *place_of(const struct name_tree *t, const struct name *dir)
{
	return dir->parent ? name_tree_get(t, dir->parent) : dir;
}

static char *image_path(const struct name_tree *t, const struct name *dir,
			const char *digest)
{
	const struct name *top = name_tree_get(t, NAME_TOP);
	char full[NAME_PATH_MAX], *out;
	size_t len;

	name_tree_path(t, dir, full);
	len = strlen(top->text);
	if (asprintf(&out, "/%s@%s", full + len + (full[len] == '/'), digest) < 0)
		return NULL;
	return out;
}

static int new_image(struct mount *m, struct name *dir, const char *digest,
		     struct image_source *o, struct view **out)
{
	struct name_tree *t = tree_of(m);
	struct view what = {.image_source = o};
	char path[NAME_PATH_MAX];
	int rc = digest_parse(digest, strlen(digest), &what.digest);

	if (rc < 0)
		return rc;
	what.around = name_item_node(NAME_ROW_DIR, 0, place_of(t, dir)->number);
	what.path = image_path(t, dir, digest);
	if (asprintf(&what.source, "%s@%s", name_tree_path(t, dir, path), digest) < 0)
		what.source = NULL;
	rc = what.path && what.source ? images_add(m, &what, out) : -ENOMEM;
	if (rc < 0) {
		free(what.path);
		free(what.source);
	}
	return rc;
}

int namespace_add_image(struct mount *m, struct name *dir, const char *digest,
			struct image_source *o)
{
	struct name_tree *t = tree_of(m);
	struct view *v = NULL;
	struct name *image;
	int rc;

	pthread_mutex_lock(&t->lock);
	rc = name_tree_add(t, dir, NAME_IMAGE, digest, strlen(digest), &image);
	if (rc == 0 && image->image == 0) {
		rc = new_image(m, dir, digest, o, &v);
		if (rc == 0)
			image->image = v->number;
	}
	name_tree_show(t, dir);
	pthread_mutex_unlock(&t->lock);
	return rc;
}

static bool find_image(struct mount *m, struct name *dir, const char *digest,
		       struct item *out)
{
	struct name_tree *t = tree_of(m);
	struct name *image;
	uint32_t number;

	pthread_mutex_lock(&t->lock);
	image = name_tree_find(t, dir, NAME_IMAGE, digest, strlen(digest));
	number = image ? image->image : 0;
	pthread_mutex_unlock(&t->lock);
	if (number)
		synthetic_top(images_find(m, number), out);
	return number != 0;
}

/* NAMES */

/* What desktops and file servers look for in every directory, and could be a name. */
static bool is_noise(const char *name)
{
	static const char *const noise[] = {"autorun.inf", "desktop.ini", "thumbs.db",
					    "ehthumbs.db", "folder.jpg",  "lost+found"};
	size_t i;

	for (i = 0; i < sizeof(noise) / sizeof(noise[0]); i++) {
		if (strcmp(name, noise[i]) == 0)
			return true;
	}
	return false;
}

/* The repository that the first @len characters name in @parent; a host has none above. */
static int named(struct mount *m, struct name *parent, const char *text, size_t len,
		 struct name **out)
{
	struct name_tree *t = tree_of(m);
	int rc;

	*out = parent;
	if (len == 0) /* "@DIGEST": of the top itself */
		return parent->parent || parent->dir.depth < 2 ? -ENOENT : 0;
	if (parent->dir.depth == 0 || memchr(text, '/', len) ||
	    !reference_is_path(text, len))
		return -ENOENT;
	pthread_mutex_lock(&t->lock);
	rc = name_tree_add(t, parent, NAME_DIR, text, len, out);
	pthread_mutex_unlock(&t->lock);
	return rc;
}

static int lookup_digest(struct mount *m, struct name *parent, const char *name,
			 const char *at, struct waiter *w, struct item *out)
{
	struct digest d;
	struct name *dir;
	int rc;

	if (digest_parse(at + 1, strlen(at + 1), &d) < 0 || d.alg != DIGEST_SHA256)
		return -ENOENT;
	rc = named(m, parent, name, (size_t)(at - name), &dir);
	if (rc < 0 || find_image(m, dir, at + 1, out))
		return rc;
	rc = refresh_image(m, dir, at + 1, w);
	if (rc == 0 && !find_image(m, dir, at + 1, out))
		rc = -ENOENT;
	return rc;
}

/* A tag as it is known: listed not long ago, or resolved. Under the lock. */
static struct name *known_tag(struct name_tree *t, const struct name *dir,
			      const char *text, bool whatever)
{
	struct name *tag = name_tree_find(t, dir, NAME_TAG, text, strlen(text));
	bool is_listed;

	if (!tag)
		return NULL;
	is_listed = tag->tag.listing && tag->tag.listing >= dir->dir.listing;
	if (whatever && (tag->tag.resolved_at || is_listed))
		return tag;
	if (is_listed && name_tree_is_listed(t, dir))
		return tag;
	return tag->tag.has_digest && name_tree_holds(t, tag->tag.resolved_at) ? tag
									       : NULL;
}

/* @whatever: however long ago it was that it was known. */
static bool find_tag(struct mount *m, struct name *dir, const char *text,
		     enum name_row row, bool whatever, struct item *out)
{
	struct name_tree *t = tree_of(m);
	struct name *tag;

	pthread_mutex_lock(&t->lock);
	tag = known_tag(t, dir, text, whatever);
	if (tag)
		name_item_tag(m, tag, row, out);
	pthread_mutex_unlock(&t->lock);
	return tag != NULL;
}

static int lookup_tagged(struct mount *m, struct name *parent, const char *name,
			 const char *colon, struct waiter *w, struct item *out)
{
	struct name_tree *t = tree_of(m);
	struct name *dir, *tag;
	int rc;

	if (colon == name || !reference_is_tag(colon + 1, strlen(colon + 1)))
		return -ENOENT;
	rc = named(m, parent, name, (size_t)(colon - name), &dir);
	if (rc < 0 || find_tag(m, dir, colon + 1, NAME_ROW_TAGGED, false, out))
		return rc;
	pthread_mutex_lock(&t->lock);
	rc = name_tree_add(t, dir, NAME_TAG, colon + 1, strlen(colon + 1), &tag);
	pthread_mutex_unlock(&t->lock);
	if (rc == 0)
		rc = refresh_tag(m, tag, w);
	if ((rc == 0 || rc == -EIO) &&
	    find_tag(m, dir, colon + 1, NAME_ROW_TAGGED, true, out))
		return 0;
	return rc == 0 ? -ENOENT : rc;
}

/* Under the lock: not asked about again. */
static bool is_known_dir(struct name_tree *t, struct name *dir, bool whatever)
{
	struct name *host;

	if (dir->dir.depth == 1)
		return true;
	if (!dir->dir.is_checked && !dir->dir.is_shown)
		return false;
	if (whatever || (dir->dir.is_checked && name_tree_holds(t, dir->dir.checked_at)))
		return true;
	host = name_tree_host(t, dir);
	return dir->dir.catalogued && name_tree_holds(t, host->dir.catalog_at);
}

/* One that is listed stands before a tag, whatever was asked last. Under the lock. */
static struct name *known_dir(struct name_tree *t, const struct name *parent,
			      const char *text, bool whatever)
{
	struct name *dir = name_tree_find(t, parent, NAME_DIR, text, strlen(text));

	if (dir && is_known_dir(t, dir, whatever))
		return dir;
	return known_tag(t, parent, text, whatever)
		       ? name_tree_shown(t, parent, text, strlen(text))
		       : NULL;
}

static bool find_dir(struct mount *m, struct name *parent, const char *text,
		     bool whatever, struct item *out)
{
	struct name_tree *t = tree_of(m);
	struct name *dir;

	pthread_mutex_lock(&t->lock);
	dir = known_dir(t, parent, text, whatever);
	if (dir)
		name_item_dir(m, dir, out);
	pthread_mutex_unlock(&t->lock);
	return dir != NULL;
}

static bool find_either(struct mount *m, struct name *dir, const char *name,
			bool whatever, struct item *out)
{
	return find_dir(m, dir, name, whatever, out) ||
	       find_tag(m, dir, name, NAME_ROW_TAG, whatever, out);
}

static int lookup_host(struct mount *m, struct name *top, const char *name,
		       struct item *out)
{
	struct name_tree *t = tree_of(m);
	struct name *dir;
	int rc;

	if (!is_host(name, strlen(name)))
		return -ENOENT;
	pthread_mutex_lock(&t->lock);
	rc = name_tree_add(t, top, NAME_DIR, name, strlen(name), &dir);
	if (rc == 0)
		name_item_dir(m, dir, out);
	pthread_mutex_unlock(&t->lock);
	return rc;
}

static int lookup_name(struct mount *m, struct name *dir, const char *name,
		       struct waiter *w, struct item *out)
{
	int rc;

	if (!reference_is_path(name, strlen(name)) &&
	    (dir->dir.depth < 2 || !reference_is_tag(name, strlen(name))))
		return -ENOENT;
	if (find_either(m, dir, name, false, out))
		return 0;
	rc = refresh_child(m, dir, name, w);
	if (rc == 0 && find_either(m, dir, name, false, out))
		return 0;
	/* What was told just now holds for this once, however short a time that is. */
	if ((rc == 0 || rc == -EIO) && find_either(m, dir, name, true, out))
		return 0;
	return rc == 0 ? -ENOENT : rc;
}

static int lookup_status(struct mount *m, const char *name, struct item *out)
{
	uint32_t number;
	int rc;

	if (strcmp(name, "status.json") != 0)
		return -ENOENT;
	rc = snapshot_take(m, NULL, &number);
	return rc < 0 ? rc : name_item_status(m, number, out);
}

int namespace_lookup(struct mount *m, uint64_t node, const char *name, struct waiter *w,
		     struct item *out)
{
	struct name *dir = dir_of(m, node);
	const char *mark;
	struct node n;

	memset(out, 0, sizeof(*out));
	node_unpack(node, &n);
	if (n.layer == NAME_ROW_PEELFS)
		return lookup_status(m, name, out);
	if (!dir)
		return -ENOTDIR;
	if (dir->number == NAME_TOP && strcmp(name, ".peelfs") == 0) {
		name_item_peelfs(m, out);
		return 0;
	}
	if (is_noise(name) || name[0] == '.')
		return -ENOENT; /* for ever */
	name_item_none(m, out);
	if (dir->dir.depth == 0)
		return lookup_host(m, dir, name, out);
	if ((mark = strchr(name, '@')))
		return lookup_digest(m, dir, name, mark, w, out);
	if ((mark = strchr(name, ':')))
		return lookup_tagged(m, dir, name, mark, w, out);
	return lookup_name(m, dir, name, w, out);
}

/* LISTS */

int namespace_list(struct mount *m, uint64_t node, struct waiter *w)
{
	struct name *dir = dir_of(m, node);

	return dir && dir->dir.depth > 0 ? refresh_list(m, dir, w) : 0;
}

/* Cookies are numbers of names; that of the top is free for .peelfs, which comes first. */
int namespace_next(struct mount *m, uint64_t node, uint64_t *cookie, char *name,
		   struct item *out)
{
	struct name_tree *t = tree_of(m);
	struct name *dir = dir_of(m, node), *n;

	if (!dir) {
		strcpy(name, "status.json");
		return (*cookie)++ > 0 ? 0 : name_item_status(m, 0, out) < 0 ? 0 : 1;
	}
	if (*cookie == 0 && dir->number == NAME_TOP) {
		*cookie = NAME_TOP;
		strcpy(name, ".peelfs");
		name_item_peelfs(m, out);
		return 1;
	}
	pthread_mutex_lock(&t->lock);
	n = name_tree_next(t, dir, (uint32_t)*cookie);
	if (n) {
		*cookie = n->number;
		snprintf(name, NAME_MAX + 1, "%s", n->text);
		if (n->kind == NAME_DIR)
			name_item_dir(m, n, out);
		else
			name_item_tag(m, n, NAME_ROW_TAG, out);
	}
	pthread_mutex_unlock(&t->lock);
	return n != NULL;
}

uint64_t namespace_parent(struct mount *m, uint64_t node)
{
	struct name *dir = dir_of(m, node);

	return name_item_node(NAME_ROW_DIR, 0,
			      dir && dir->parent ? dir->parent : NAME_TOP);
}

/* CONTENTS */

static bool known_digest(struct mount *m, struct name *tag, bool whatever, char *digest)
{
	struct name_tree *t = tree_of(m);
	bool is;

	pthread_mutex_lock(&t->lock);
	is = tag->tag.resolved_at &&
	     (whatever ||
	      (tag->tag.has_digest && name_tree_holds(t, tag->tag.resolved_at)));
	if (is)
		digest_format(&tag->tag.digest, digest);
	pthread_mutex_unlock(&t->lock);
	return is;
}

int namespace_readlink(struct mount *m, uint64_t node, char *buf, size_t size,
		       struct waiter *w)
{
	struct name_tree *t = tree_of(m);
	char digest[DIGEST_TEXT_MAX];
	const struct name *dir;
	struct name *tag;
	struct node n;
	int rc;

	node_unpack(node, &n);
	tag = n.layer >= NAME_ROW_TAG ? name_tree_get(t, n.entry) : NULL;
	if (!tag || tag->kind != NAME_TAG)
		return -EINVAL;
	if (!known_digest(m, tag, false, digest)) {
		rc = refresh_tag(m, tag, w);
		if (rc < 0 && (rc != -EIO || !known_digest(m, tag, true, digest)))
			return rc;
		if (rc == 0 && !known_digest(m, tag, true, digest))
			return -EIO;
	}
	dir = name_tree_get(t, tag->parent);
	rc = snprintf(buf, size, "%s%s@%s",
		      dir->parent && n.layer == NAME_ROW_TAG ? "../" : "",
		      dir->parent ? dir->text : "", digest);
	return rc >= 0 && (size_t)rc < size ? 0 : -ENAMETOOLONG;
}

ssize_t namespace_read(struct mount *m, uint64_t node, void *buf, size_t size,
		       uint64_t off)
{
	struct node n;

	node_unpack(node, &n);
	return n.layer == NAME_ROW_STATUS
		       ? snapshot_read(m, n.entry, buf, size, off, NULL)
		       : -EISDIR;
}
