/* SPDX-License-Identifier: MIT */
#include "fs/names/refresh.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "fs/image/context.h"
#include "fs/image/images.h"
#include "fs/options/log.h"
#include "fs/options/options.h"
#include "fs/image/workers.h"
#include "fs/names/name_item.h"
#include "fs/names/name_tree.h"
#include "fs/names/namespace.h"
#include "registry/image/reference.h"
#include "registry/image_source.h"
#include "registry/remote/client.h"

/* A host that offers no catalog is asked again after so long. */
#define NO_CATALOG_SECONDS 3600
/* For so long a mount waits for a registry that it could do without. */
#define FIRST_MS 3000

struct refresh {
	struct task task;
	int (*run)(struct task *task);
	struct namespace *ns;
	uint32_t number;   /* of the name */
	struct name *name; /* pinned while it runs */
	char text[];
};

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
static void note_failure(struct namespace *ns, struct name *dir, int rc)
{
	if (rc != -EIO)
		return;
	pthread_mutex_lock(&ns->tree->lock);
	note_answer(ns, dir, rc);
	pthread_mutex_unlock(&ns->tree->lock);
}

static int seen_errno(int rc)
{
	return rc == -ENOENT ? rc : context_errno(rc);
}

/* Whether @dir is deep enough to be a repository. */
static bool may_have_tags(const struct name *dir, const char *path)
{
	return dir->dir.depth >= (namespace_is_hub(path) ? 3 : 2);
}

/* The source of the repository @dir, kept in the tree. No network. */
static int open_repository(struct namespace *ns, struct name *dir,
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

/*
 * Brings the tree up to date with the catalog of the host of @dir, unless that was done
 * recently or another thread does it, which is waited for. -ENOTSUP: the host offers none.
 * A failure leaves an older catalog in place and is then only logged.
 */
static int refresh_catalog(struct namespace *ns, struct name *dir, struct err *e)
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
	int rc = open_repository(ns, dir, &o, e);

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

static int refresh_tags(struct namespace *ns, struct name *dir, struct err *e)
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

/* A name that is no repository, or is refused, is still a directory if it has names. */
static int judge_tags(struct namespace *ns, struct name *dir, int rc)
{
	struct name_tree *t = ns->tree;
	bool has_more;

	if (rc != -ENOENT && rc != -EACCES)
		return rc;
	pthread_mutex_lock(&t->lock);
	has_more = name_tree_next(t, dir, 0) != NULL;
	pthread_mutex_unlock(&t->lock);
	return has_more || (rc == -ENOENT && dir->parent) ? 0 : rc;
}

static int refresh_run_list(struct task *task)
{
	struct refresh *r = (struct refresh *)task;
	struct namespace *ns = r->ns;
	struct err e = {"out of memory"};
	char path[NAME_PATH_MAX];
	int rc, tags = 0;

	name_tree_path(ns->tree, r->name, path);
	rc = refresh_catalog(ns, r->name, &e);
	if (rc == -ENOTSUP)
		rc = 0;
	if (rc == 0 && may_have_tags(r->name, path))
		tags = judge_tags(ns, r->name, refresh_tags(ns, r->name, &e));
	if (rc == 0)
		rc = tags;
	if (rc < 0)
		namespace_warn(ns, r->name, r->text, rc, &e);
	return seen_errno(rc);
}

/* ONE TAG */

static int add_image(struct namespace *ns, struct name *dir, const struct digest *d,
		     struct err *e)
{
	char digest[DIGEST_TEXT_MAX];
	struct image_source *o;
	int rc = open_repository(ns, dir, &o, e);

	return rc < 0 ? rc : name_image_add(ns, dir, digest_format(d, digest), o);
}

static int open_reference(struct namespace *ns, struct name *dir, char separator,
			  const char *text, struct image_source **out, struct err *e)
{
	char path[NAME_PATH_MAX], *reference;
	int rc;

	name_tree_path(ns->tree, dir, path);
	if (asprintf(&reference, "%s%c%s", path, separator, text) < 0)
		return err_set(e, -ENOMEM, "out of memory");
	rc = image_source_open(reference, ns->context->client, out, e);
	free(reference);
	return rc;
}

static void forget_tag(struct name_tree *t, struct name *dir, const char *text)
{
	struct name *tag;

	pthread_mutex_lock(&t->lock);
	tag = name_tree_find(t, dir, NAME_TAG, text, strlen(text));
	if (tag) {
		tag->tag.has_digest = false;
		tag->tag.resolved_at = 0;
		tag->tag.listing = 0;
	}
	pthread_mutex_unlock(&t->lock);
}

/* Asks for the digest of a tag and puts both into the tree. */
static int resolve_tag(struct namespace *ns, struct name *dir, const char *text,
		       struct err *e)
{
	struct name_tree *t = ns->tree;
	struct image_source *o = NULL;
	struct digest d;
	struct name *tag;
	int rc = open_reference(ns, dir, ':', text, &o, e);

	if (rc == 0)
		rc = image_source_tag_digest(o, &d, e);
	image_source_close(o);
	note_failure(ns, dir, rc == 1 ? -EIO : rc);
	if (rc == 1)
		rc = 0;
	if (rc == 0)
		rc = add_image(ns, dir, &d, e);
	if (rc == -ENOENT)
		forget_tag(t, dir, text);
	if (rc < 0)
		return rc;
	pthread_mutex_lock(&t->lock);
	rc = name_tree_add(t, dir, NAME_TAG, text, strlen(text), &tag);
	if (rc == 0) {
		/* Another digest, another node: the kernel caches the link of the old one. */
		if (tag->tag.resolved_at && !digest_equal(&tag->tag.digest, &d))
			tag->tag.generation++;
		tag->tag.digest = d;
		tag->tag.has_digest = true;
		tag->tag.resolved_at = clock_seconds();
		dir->dir.is_repository = true;
		name_tree_show(t, dir);
	}
	pthread_mutex_unlock(&t->lock);
	return rc;
}

static int refresh_run_tag(struct task *task)
{
	struct refresh *r = (struct refresh *)task;
	struct namespace *ns = r->ns;
	struct name *dir = name_tree_get(ns->tree, r->name->parent);
	struct err e = {"out of memory"};
	int rc = resolve_tag(ns, dir, r->name->text, &e);

	if (rc < 0)
		namespace_warn(ns, r->name, r->text, rc, &e);
	return seen_errno(rc);
}

/* TAG OR DIRECTORY */

static int add_dir(struct namespace *ns, struct name *parent, const char *text,
		   bool is_repository)
{
	struct name_tree *t = ns->tree;
	struct name *dir;
	int rc;

	pthread_mutex_lock(&t->lock);
	rc = name_tree_add(t, parent, NAME_DIR, text, strlen(text), &dir);
	if (rc == 0) {
		dir->dir.is_checked = true;
		dir->dir.checked_at = clock_seconds();
		dir->dir.is_repository |= is_repository;
		if (is_repository)
			name_tree_show(t, dir);
	}
	pthread_mutex_unlock(&t->lock);
	return rc;
}

static bool is_in_catalog(struct namespace *ns, struct name *parent, const char *text)
{
	struct name_tree *t = ns->tree;
	struct name *dir;
	bool is;

	pthread_mutex_lock(&t->lock);
	dir = name_tree_find(t, parent, NAME_DIR, text, strlen(text));
	is = dir && dir->dir.catalogued;
	pthread_mutex_unlock(&t->lock);
	return is;
}

static bool is_repository(struct namespace *ns, const struct name *dir)
{
	struct name_tree *t = ns->tree;
	bool is;

	pthread_mutex_lock(&t->lock);
	is = dir->dir.is_repository;
	pthread_mutex_unlock(&t->lock);
	return is;
}

static int probe(struct namespace *ns, struct name *parent, const char *text,
		 struct err *e)
{
	struct image_source *o = NULL;
	int rc = open_reference(ns, parent, '/', text, &o, e);

	if (rc == 0)
		rc = image_source_probe(o, e);
	image_source_close(o);
	return rc;
}

/*
 * A directory is a repository or a part of a path to one. Without a catalog only the first
 * can be asked about; any other name is taken for the second, unless it would be below a
 * repository. On docker.io, whose names have two parts, the depth decides.
 */
static int find_dir(struct namespace *ns, struct name *parent, const char *text,
		    struct err *e)
{
	char path[NAME_PATH_MAX];
	int rc, catalog;

	name_tree_path(ns->tree, parent, path);
	if (namespace_is_hub(path) && parent->dir.depth != 2)
		return parent->dir.depth == 1 ? add_dir(ns, parent, text, false)
					      : -ENOENT;
	rc = probe(ns, parent, text, e);
	note_failure(ns, parent, rc);
	if (rc == 0)
		return add_dir(ns, parent, text, true);
	if (ns->context->options->client.offline) /* the store may know names below */
		return add_dir(ns, parent, text, false);
	if ((rc != -ENOENT && rc != -EACCES && rc != -ENOTSUP) || namespace_is_hub(path))
		return rc;
	catalog = refresh_catalog(ns, parent, e);
	if (catalog == 0)
		return is_in_catalog(ns, parent, text) ? add_dir(ns, parent, text, false)
						       : -ENOENT;
	if (catalog != -ENOTSUP)
		return catalog;
	return is_repository(ns, parent) ? -ENOENT : add_dir(ns, parent, text, false);
}

static bool may_be_tag(struct namespace *ns, struct name *dir, const char *text)
{
	struct name_tree *t = ns->tree;
	char path[NAME_PATH_MAX];
	bool is;

	name_tree_path(t, dir, path);
	if (!may_have_tags(dir, path) || !reference_is_tag(text, strlen(text)))
		return false;
	pthread_mutex_lock(&t->lock);
	is = !name_tree_is_listed(t, dir) &&
	     (dir->dir.is_repository || !dir->dir.is_checked ||
	      ns->context->options->client.offline);
	pthread_mutex_unlock(&t->lock);
	return is;
}

static int refresh_run_child(struct task *task)
{
	struct refresh *r = (struct refresh *)task;
	struct namespace *ns = r->ns;
	struct err e = {"out of memory"};
	int rc = -ENOENT;

	if (may_be_tag(ns, r->name, r->text))
		rc = resolve_tag(ns, r->name, r->text, &e);
	if ((rc == -ENOENT || rc == -EACCES ||
	     (rc == -EIO && ns->context->options->client.offline)) &&
	    reference_is_path(r->text, strlen(r->text)))
		rc = find_dir(ns, r->name, r->text, &e);
	if (rc < 0)
		namespace_warn(ns, r->name, r->text, rc, &e);
	return seen_errno(rc);
}

/* AN IMAGE BY ITS DIGEST */

static int refresh_run_image(struct task *task)
{
	struct refresh *r = (struct refresh *)task;
	struct namespace *ns = r->ns;
	struct err e = {"out of memory"};
	struct image *img = NULL;
	struct image_source *o = NULL;
	struct digest d;
	int rc = open_reference(ns, r->name, '@', r->text, &o, &e);

	/* This puts its documents into the store: loading it needs no more requests. */
	if (rc == 0)
		rc = image_source_resolve(o, &ns->context->options->platform, &img, &e);
	image_free(img);
	image_source_close(o);
	if (rc == 0)
		rc = digest_parse(r->text, strlen(r->text), &d);
	if (rc == 0)
		rc = add_image(ns, r->name, &d, &e);
	if (rc < 0)
		namespace_warn(ns, r->name, r->text, rc, &e);
	return seen_errno(rc);
}

/* The name is known by its number before, because this may begin after an interrupt. */
static int refresh_run(struct task *task)
{
	struct refresh *r = (struct refresh *)task;
	struct name_tree *t = r->ns->tree;
	int rc;

	r->name = name_tree_pin(t, r->number);
	if (!r->name)
		return -ESTALE;
	rc = r->run(task);
	name_tree_unpin(t, r->name);
	return rc;
}

static int refresh_start(struct namespace *ns, int (*run)(struct task *t),
			 struct name *name, const char *text, int64_t until,
			 struct waiter *w)
{
	struct refresh *r = calloc(1, sizeof(*r) + strlen(text) + 1);

	if (!r)
		return -ENOMEM;
	r->ns = ns;
	r->task.run = refresh_run;
	r->run = run;
	r->task.until = until;
	r->number = name->number;
	strcpy(r->text, text);
	return seen_errno(task_run(ns->images->workers, &r->task, w));
}

int refresh_list(struct namespace *ns, struct name *dir, struct waiter *w)
{
	return refresh_start(ns, refresh_run_list, dir, "", 0, w);
}

int refresh_child(struct namespace *ns, struct name *dir, const char *text,
		  struct waiter *w)
{
	return refresh_start(ns, refresh_run_child, dir, text, 0, w);
}

int refresh_tag(struct namespace *ns, struct name *tag, struct waiter *w)
{
	return refresh_start(ns, refresh_run_tag, tag, "", 0, w);
}

int refresh_image(struct namespace *ns, struct name *dir, const char *digest,
		  struct waiter *w)
{
	return refresh_start(ns, refresh_run_image, dir, digest, 0, w);
}

void refresh_first(struct namespace *ns)
{
	struct name *top = name_tree_get(ns->tree, NAME_TOP);

	if (top->dir.depth == 0 || ns->context->options->client.offline ||
	    refresh_start(ns, refresh_run_list, top, "", clock_ms() + FIRST_MS, NULL) ==
		    0)
		return;
	/* The first reader is to get the errno, too. */
	pthread_mutex_lock(&ns->tree->lock);
	top->dir.is_listed = false;
	pthread_mutex_unlock(&ns->tree->lock);
}
