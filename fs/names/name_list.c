/* SPDX-License-Identifier: MIT */
#include "fs/names/name_list.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "fs/image/context.h"
#include "fs/names/name_tree.h"
#include "fs/names/namespace.h"
#include "fs/options/log.h"
#include "registry/image_source.h"
#include "registry/remote/client.h"

/* A host that offers no catalog is asked again after so long. */
#define NO_CATALOG_SECONDS 3600

/*
 * A host that does not answer is not asked again about known names for as long as a wait may last:
 * a path has several of them. It is again once it has answered anything else. Under the lock.
 */
static void note_answer(struct namespace *ns, struct name *dir, int rc)
{
	unsigned timeout = client_timeout(ns->context->client);

	name_tree_note_failure(ns->tree, dir, rc == -EIO ? timeout : 0);
}

/* The same where success proves nothing, since the store may know the answer. Takes the lock. */
void name_list_note_failure(struct namespace *ns, struct name *dir, int rc)
{
	if (rc != -EIO)
		return;
	pthread_mutex_lock(&ns->tree->lock);
	note_answer(ns, dir, rc);
	pthread_mutex_unlock(&ns->tree->lock);
}

/* The source of the repository @dir, kept in the tree. No network. */
int name_list_open_repository(struct namespace *ns, struct name *dir,
			      struct image_source **out, struct err *e)
{
	struct name_tree *t = ns->tree;
	char path[NAME_PATH_MAX];
	struct image_source *o = NULL;
	int rc;

	pthread_mutex_lock(&t->lock);
	*out = dir->dir.image_source;
	pthread_mutex_unlock(&t->lock);
	if (*out)
		return 0;
	rc = image_source_open(name_tree_path(t, dir, path), ns->context->client, &o, e);
	if (rc < 0)
		return rc;
	pthread_mutex_lock(&t->lock);
	if (!dir->dir.image_source) {
		dir->dir.image_source = o;
		o = NULL;
	}
	*out = dir->dir.image_source;
	pthread_mutex_unlock(&t->lock);
	image_source_close(o);
	return 0;
}

/* THE CATALOG OF A HOST */

struct catalog {
	struct name_tree *tree;
	struct name *host; /* or the top, if that is below a host */
	const char *below; /* its path inside the host, "" or "team/" */
};

/* One repository of the host, by its path from the host on. */
static int add_repository(void *arg, const char *path)
{
	struct catalog *c = arg;
	struct name_tree *t = c->tree;
	struct name *dir = c->host;
	size_t len = strlen(c->below);
	int rc = 0;

	if (strncmp(path, c->below, len) != 0)
		return 0;
	path += len;
	pthread_mutex_lock(&t->lock);
	while (rc == 0 && *path) {
		len = strcspn(path, "/");
		rc = name_tree_add(t, dir, NAME_DIR, path, len, &dir);
		if (rc < 0)
			break;
		dir->dir.is_checked = true;
		dir->dir.checked_at = clock_seconds();
		dir->dir.catalogued = c->host->dir.cataloguing + 1;
		path += len + (path[len] == '/');
	}
	if (rc == 0 && dir != c->host) {
		dir->dir.is_repository = true;
		name_tree_show(t, dir);
	}
	pthread_mutex_unlock(&t->lock);
	return rc;
}

/* Hides what the last catalog had and this one lacks. Under the lock. */
static void hide_gone(struct name_tree *t, const struct name *host)
{
	struct name *n;
	uint32_t i;

	for (i = NAME_TOP + 1; (n = name_tree_at(t, i)); i++) {
		if (n->kind != NAME_DIR || !n->dir.catalogued ||
		    name_tree_host(t, n) != host ||
		    n->dir.catalogued == host->dir.cataloguing)
			continue;
		n->dir.is_shown = n->dir.is_checked = n->dir.is_repository = false;
		n->dir.catalogued = 0;
	}
}

static bool is_catalogued(struct name_tree *t, struct name *host)
{
	uint32_t age = clock_seconds() - host->dir.catalog_at;

	return (host->dir.no_catalog && age < NO_CATALOG_SECONDS) ||
	       (host->dir.has_catalog && name_tree_holds(t, host, host->dir.catalog_at));
}

static int get_catalog(struct namespace *ns, struct name *host, struct err *e)
{
	char path[NAME_PATH_MAX], below[NAME_PATH_MAX] = "";
	struct catalog c = {ns->tree, host, below};
	size_t len;

	name_tree_path(ns->tree, host, path);
	if (namespace_is_hub(path))
		return -ENOTSUP;
	len = strcspn(path, "/");
	if (path[len])
		snprintf(below, sizeof(below), "%s/", path + len + 1);
	path[len] = '\0';
	return image_source_catalog(ns->context->client, path, add_repository, &c, e);
}

int name_list_catalog(struct namespace *ns, struct name *dir, struct err *e)
{
	struct name_tree *t = ns->tree;
	struct name *host;
	int rc = 0;

	pthread_mutex_lock(&t->lock);
	host = name_tree_host(t, dir);
	if (name_tree_take_turn(t, host, is_catalogued)) {
		pthread_mutex_unlock(&t->lock);
		rc = get_catalog(ns, host, e);
		pthread_mutex_lock(&t->lock);
		note_answer(ns, host, rc);
		host->dir.catalog_at = clock_seconds();
		host->dir.cataloguing++;
		if (rc == 0) {
			host->dir.has_catalog = true;
			host->dir.no_catalog = false;
			hide_gone(t, host);
			name_tree_show(t, host);
		} else if (rc == -ENOTSUP || rc == -ENOENT || rc == -EACCES) {
			if (rc == -EACCES) {
				namespace_note(ns, host, "", e);
				/* Who names a part of a host does not ask for the rest. */
				if (!host->dir.no_catalog && host->dir.depth == 1)
					log_warn(ns->context->log, "%s", e->text);
			}
			host->dir.no_catalog = !host->dir.has_catalog;
			rc = 0;
		}
		name_tree_end_turn(t, host);
	}
	if (rc < 0 && host->dir.has_catalog) {
		namespace_warn(ns, host, "", rc, e);
		rc = 0;
	}
	if (rc == 0 && !host->dir.has_catalog)
		rc = -ENOTSUP;
	pthread_mutex_unlock(&t->lock);
	return rc;
}

/* TAGS */

struct listing_tags {
	struct namespace *ns;
	struct name *dir;
};

static int add_tag(void *arg, const char *text)
{
	struct listing_tags *l = arg;
	struct name_tree *t = l->ns->tree;
	struct name *tag;
	int rc;

	pthread_mutex_lock(&t->lock);
	rc = name_tree_add(t, l->dir, NAME_TAG, text, strlen(text), &tag);
	if (rc == 0)
		tag->tag.listing = l->dir->dir.listing + 1;
	pthread_mutex_unlock(&t->lock);
	return rc;
}

static int get_tags(struct namespace *ns, struct name *dir, struct err *e)
{
	struct listing_tags l = {ns, dir};
	struct image_source *o;
	int rc = name_list_open_repository(ns, dir, &o, e);

	return rc < 0 ? rc : image_source_tags(o, add_tag, &l, e);
}

static void note_tags(struct name_tree *t, struct name *dir, int rc)
{
	bool is_none = rc == -ENOENT || rc == -EACCES || rc == -ENOTSUP;

	if (rc < 0 && !is_none)
		return;
	dir->dir.is_listed = true;
	dir->dir.is_refused = rc == -EACCES;
	dir->dir.listed_at = clock_seconds();
	dir->dir.listing++;
	if (rc == -ENOENT)
		dir->dir.is_repository = false;
	if (rc == 0) {
		dir->dir.is_repository = true;
		name_tree_show(t, dir);
	}
}

int name_list_tags(struct namespace *ns, struct name *dir, struct err *e)
{
	struct name_tree *t = ns->tree;
	int rc = 0;

	pthread_mutex_lock(&t->lock);
	if (name_tree_take_turn(t, dir, name_tree_is_listed)) {
		pthread_mutex_unlock(&t->lock);
		rc = get_tags(ns, dir, e);
		pthread_mutex_lock(&t->lock);
		note_answer(ns, dir, rc);
		note_tags(t, dir, rc);
		name_tree_end_turn(t, dir);
	} else if (dir->dir.is_refused) {
		rc = err_set(e, -EACCES, "the tags of %s were refused a moment ago",
			     dir->text);
	}
	if (rc < 0 && dir->dir.is_listed && rc != -ENOENT && rc != -EACCES) {
		if (rc != -ENOTSUP)
			namespace_warn(ns, dir, "", rc, e);
		rc = 0;
	}
	pthread_mutex_unlock(&t->lock);
	return rc;
}
