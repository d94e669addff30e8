/* SPDX-License-Identifier: MIT */
#include "fs/names/name_lookup.h"

#include <errno.h>
#include <string.h>

#include "base/digest.h"
#include "fs/image/item.h"
#include "fs/names/name_item.h"
#include "fs/names/name_tree.h"
#include "fs/names/namespace.h"
#include "fs/names/refresh.h"
#include "registry/image/reference.h"

/* Names that could be repositories, but that desktops look for in every directory. */
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

/* The repository that the first @len bytes name in @parent, where there can be one. Pinned. */
static int pin_repository(struct namespace *ns, struct name *parent, const char *text,
			  size_t len, struct name **out)
{
	struct name_tree *t = ns->tree;
	int rc = 0;

	*out = NULL;
	if (len == 0 ? parent->parent || parent->dir.depth < 2
		     : parent->dir.depth == 0 || memchr(text, '/', len) ||
			       !reference_is_path(text, len))
		return -ENOENT;
	pthread_mutex_lock(&t->lock);
	if (len == 0) /* "@DIGEST" of the top itself */
		*out = parent;
	else
		rc = name_tree_add(t, parent, NAME_DIR, text, len, out);
	if (rc == 0)
		(*out)->pins++;
	pthread_mutex_unlock(&t->lock);
	return rc;
}

static int lookup_digest(struct namespace *ns, struct name *parent, const char *name,
			 const char *at, struct waiter *w, struct item *out)
{
	struct digest d;
	struct name *dir;
	int rc;

	if (digest_parse(at + 1, strlen(at + 1), &d) < 0 || d.alg != DIGEST_SHA256)
		return -ENOENT;
	rc = pin_repository(ns, parent, name, (size_t)(at - name), &dir);
	if (rc == 0 && !name_image_find(ns, dir, at + 1, out)) {
		rc = refresh_image(ns, dir, at + 1, w);
		if (rc == 0 && !name_image_find(ns, dir, at + 1, out))
			rc = -ENOENT;
	}
	name_tree_unpin(ns->tree, dir);
	return rc;
}

/* A tag that was listed or resolved recently. @stale: or ever. Under the lock. */
static struct name *known_tag(struct name_tree *t, struct name *dir, const char *text,
			      bool stale)
{
	struct name *tag = name_tree_find(t, dir, NAME_TAG, text, strlen(text));
	bool is_listed;

	if (!tag)
		return NULL;
	is_listed = tag->tag.listing && tag->tag.listing >= dir->dir.listing;
	if (stale && (tag->tag.resolved_at || is_listed))
		return tag;
	if (is_listed && name_tree_is_listed(t, dir))
		return tag;
	return tag->tag.has_digest && name_tree_holds(t, dir, tag->tag.resolved_at)
		       ? tag
		       : NULL;
}

static bool find_tag(struct namespace *ns, struct name *dir, const char *text,
		     enum name_row row, bool stale, struct item *out)
{
	struct name_tree *t = ns->tree;
	struct name *tag;

	pthread_mutex_lock(&t->lock);
	tag = known_tag(t, dir, text, stale);
	if (tag)
		name_item_tag(ns, tag, row, out);
	pthread_mutex_unlock(&t->lock);
	return tag != NULL;
}

/* Asks the registry for a tag. */
static int ask_for_tag(struct namespace *ns, struct name *dir, const char *text,
		       struct waiter *w)
{
	struct name_tree *t = ns->tree;
	struct name *tag;
	int rc;

	pthread_mutex_lock(&t->lock);
	rc = name_tree_add(t, dir, NAME_TAG, text, strlen(text), &tag);
	if (rc == 0)
		tag->pins++;
	pthread_mutex_unlock(&t->lock);
	if (rc < 0)
		return rc;
	rc = refresh_tag(ns, tag, w);
	name_tree_unpin(t, tag);
	return rc;
}

static int lookup_tagged(struct namespace *ns, struct name *parent, const char *name,
			 const char *colon, struct waiter *w, struct item *out)
{
	struct name *dir;
	int rc;

	if (colon == name || !reference_is_tag(colon + 1, strlen(colon + 1)))
		return -ENOENT;
	rc = pin_repository(ns, parent, name, (size_t)(colon - name), &dir);
	if (rc == 0 && !find_tag(ns, dir, colon + 1, NAME_ROW_TAGGED, false, out)) {
		rc = ask_for_tag(ns, dir, colon + 1, w);
		if ((rc == 0 || rc == -EIO) &&
		    find_tag(ns, dir, colon + 1, NAME_ROW_TAGGED, true, out))
			rc = 0;
		else if (rc == 0)
			rc = -ENOENT;
	}
	name_tree_unpin(ns->tree, dir);
	return rc;
}

/* Whether its existence need not be asked about again. Under the lock. */
static bool is_known_dir(struct name_tree *t, struct name *dir, bool stale)
{
	struct name *host;

	if (dir->dir.depth == 1)
		return true;
	if (!dir->dir.is_checked && !dir->dir.is_shown)
		return false;
	if (stale ||
	    (dir->dir.is_checked && name_tree_holds(t, dir, dir->dir.checked_at)))
		return true;
	host = name_tree_host(t, dir);
	return dir->dir.catalogued && name_tree_holds(t, host, host->dir.catalog_at);
}

/* A listed directory hides a tag, whichever was asked about last. Under the lock. */
static struct name *known_dir(struct name_tree *t, struct name *parent, const char *text,
			      bool stale)
{
	struct name *dir = name_tree_find(t, parent, NAME_DIR, text, strlen(text));

	if (dir && is_known_dir(t, dir, stale))
		return dir;
	return known_tag(t, parent, text, stale)
		       ? name_tree_shown(t, parent, text, strlen(text))
		       : NULL;
}

static bool find_dir(struct namespace *ns, struct name *parent, const char *text,
		     bool stale, struct item *out)
{
	struct name_tree *t = ns->tree;
	struct name *dir;

	pthread_mutex_lock(&t->lock);
	dir = known_dir(t, parent, text, stale);
	if (dir)
		name_item_dir(ns, dir, out);
	pthread_mutex_unlock(&t->lock);
	return dir != NULL;
}

static bool find_either(struct namespace *ns, struct name *dir, const char *name,
			bool stale, struct item *out)
{
	return find_dir(ns, dir, name, stale, out) ||
	       find_tag(ns, dir, name, NAME_ROW_TAG, stale, out);
}

static int lookup_host(struct namespace *ns, struct name *top, const char *name,
		       struct item *out)
{
	struct name_tree *t = ns->tree;
	struct name *dir;
	int rc;

	if (!namespace_is_host(name, strlen(name)))
		return -ENOENT;
	pthread_mutex_lock(&t->lock);
	rc = name_tree_add(t, top, NAME_DIR, name, strlen(name), &dir);
	if (rc == 0)
		name_item_dir(ns, dir, out);
	pthread_mutex_unlock(&t->lock);
	return rc;
}

static int lookup_name(struct namespace *ns, struct name *dir, const char *name,
		       struct waiter *w, struct item *out)
{
	int rc;

	if (!reference_is_path(name, strlen(name)) &&
	    (dir->dir.depth < 2 || !reference_is_tag(name, strlen(name))))
		return -ENOENT;
	if (find_either(ns, dir, name, false, out))
		return 0;
	rc = refresh_child(ns, dir, name, w);
	if (rc == 0 && find_either(ns, dir, name, false, out))
		return 0;
	/* With a tag_ttl of 0 the answer is stale at once, but good for this lookup. */
	if ((rc == 0 || rc == -EIO) && find_either(ns, dir, name, true, out))
		return 0;
	return rc == 0 ? -ENOENT : rc;
}

int name_lookup(struct namespace *ns, struct name *dir, const char *name,
		struct waiter *w, struct item *out)
{
	const char *mark;

	memset(out, 0, sizeof(*out));
	if (dir->number == NAME_TOP && strcmp(name, ".peelfs") == 0) {
		name_item_peelfs(ns, out);
		return 0;
	}
	if (is_noise(name) || name[0] == '.')
		return -ENOENT; /* never expires */
	name_item_none(ns, out);
	if (dir->dir.depth == 0)
		return lookup_host(ns, dir, name, out);
	if ((mark = strchr(name, '@')))
		return lookup_digest(ns, dir, name, mark, w, out);
	if ((mark = strchr(name, ':')))
		return lookup_tagged(ns, dir, name, mark, w, out);
	return lookup_name(ns, dir, name, w, out);
}
