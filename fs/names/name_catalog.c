/* SPDX-License-Identifier: MIT */
#include "fs/names/name_catalog.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "fs/image/context.h"
#include "fs/options/log.h"
#include "fs/names/name_tree.h"
#include "fs/names/namespace.h"
#include "registry/image_source.h"

/* A host that offers no catalog is asked again after so long. */
#define NO_CATALOG_SECONDS 3600

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

	for (i = NAME_TOP + 1; (n = name_tree_get(t, i)); i++) {
		if (n->kind != NAME_DIR || !n->dir.catalogued ||
		    name_tree_host(t, n) != host ||
		    n->dir.catalogued == host->dir.cataloguing)
			continue;
		n->dir.is_shown = n->dir.is_checked = n->dir.is_repository = false;
		n->dir.catalogued = 0;
	}
}

static bool is_catalogued(const struct name_tree *t, const struct name *host)
{
	uint32_t age = clock_seconds() - host->dir.catalog_at;

	return (host->dir.no_catalog && age < NO_CATALOG_SECONDS) ||
	       (host->dir.has_catalog && age < t->ttl);
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

int name_catalog_refresh(struct namespace *ns, struct name *dir, struct err *e)
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
		host->dir.catalog_at = clock_seconds();
		host->dir.cataloguing++;
		if (rc == 0) {
			host->dir.has_catalog = true;
			host->dir.no_catalog = false;
			hide_gone(t, host);
			name_tree_show(t, host);
		} else if (rc == -ENOTSUP || rc == -ENOENT || rc == -EACCES) {
			if (rc == -EACCES && !host->dir.no_catalog)
				log_warn(ns->context->log,
					 "what %s has is not listed: %s", host->text,
					 e->text);
			host->dir.no_catalog = !host->dir.has_catalog;
			rc = 0;
		}
		name_tree_end_turn(t, host);
	}
	if (rc < 0 && host->dir.has_catalog) {
		namespace_warn(ns, rc, e);
		rc = 0;
	}
	if (rc == 0 && !host->dir.has_catalog)
		rc = -ENOTSUP;
	pthread_mutex_unlock(&t->lock);
	return rc;
}
