/* SPDX-License-Identifier: MIT */
#include "fs/names/refresh.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "fs/options/log.h"
#include "fs/image/context.h"
#include "fs/names/namespace.h"
#include "fs/names/name_tree.h"
#include "fs/tree/node.h"
#include "fs/options/options.h"
#include "fs/image/task.h"
#include "registry/image_source.h"
#include "registry/image/reference.h"

/* Who offers no catalog is asked again after so long. */
#define NO_CATALOG_SECONDS 3600

struct ask {
	struct task task;
	struct name *name;
	char text[];
};

static struct name_tree *tree_of(const struct mount *m)
{
	return m->namespace->tree;
}

static void warn(struct mount *m, int rc, const struct err *e)
{
	if (rc == -ENOENT || rc == -EINTR)
		return;
	__atomic_add_fetch(&m->errors, 1, __ATOMIC_RELAXED);
	log_warn(m->log, "%s", e->text);
}

static int seen_errno(int rc)
{
	return rc == -ENOENT ? rc : mount_errno(rc);
}

/* docker.io: NAMESPACE/NAME and no catalog; a first component alone is no repository. */
static bool is_hub(const char *path)
{
	size_t len = strcspn(path, "/");

	return len == 9 && memcmp(path, "docker.io", 9) == 0;
}

/* May @dir be a repository at all? */
static bool may_have_tags(const struct name *dir, const char *path)
{
	return dir->dir.depth >= (is_hub(path) ? 3 : 2);
}

/* Of the repository that @dir is. Asks nobody. */
static int open_repository(struct mount *m, struct name *dir, struct image_source **out,
			   struct err *e)
{
	struct name_tree *t = tree_of(m);
	char path[NAME_PATH_MAX];
	struct image_source *o = NULL;
	int rc;

	pthread_mutex_lock(&t->lock);
	*out = dir->dir.image_source;
	pthread_mutex_unlock(&t->lock);
	if (*out)
		return 0;
	rc = image_source_open(name_tree_path(t, dir, path), m->client, &o, e);
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

/* Another asks for the same: waits for that. Under the lock; true: it is our turn. */
static bool take_turn(struct name_tree *t, struct name *dir,
		      bool (*is_done)(const struct name_tree *t, const struct name *dir))
{
	while (dir->dir.is_busy)
		pthread_cond_wait(&t->changed, &t->lock);
	if (is_done(t, dir))
		return false;
	dir->dir.is_busy = true;
	return true;
}

static void end_turn(struct name_tree *t, struct name *dir)
{
	dir->dir.is_busy = false;
	pthread_cond_broadcast(&t->changed);
}

/* THE CATALOG */

struct cataloguing {
	struct mount *mount;
	struct name *host; /* or the top, if that is below its host */
	const char *below; /* the path of that inside the host, "" or "team/" */
};

/* One repository of the host, by its path from the host on. */
static int add_repository(void *arg, const char *path)
{
	struct cataloguing *c = arg;
	struct name_tree *t = tree_of(c->mount);
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
		dir->dir.checked_at = lazy_clock();
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

/* What the last catalog had and this one has not. Under the lock. */
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
	uint32_t age = lazy_clock() - host->dir.catalog_at;

	return (host->dir.no_catalog && age < NO_CATALOG_SECONDS) ||
	       (host->dir.has_catalog && age < t->ttl);
}

static int get_catalog(struct mount *m, struct name *host, struct err *e)
{
	char path[NAME_PATH_MAX], below[NAME_PATH_MAX] = "";
	struct cataloguing c = {m, host, below};
	size_t len;

	name_tree_path(tree_of(m), host, path);
	if (is_hub(path))
		return -ENOTSUP;
	len = strcspn(path, "/");
	if (path[len])
		snprintf(below, sizeof(below), "%s/", path + len + 1);
	path[len] = '\0';
	return image_source_catalog(m->client, path, add_repository, &c, e);
}

/* 0, -ENOTSUP: none is offered, or why it cannot be had and never was. */
static int refresh_catalog(struct mount *m, struct name *dir, struct err *e)
{
	struct name_tree *t = tree_of(m);
	struct name *host;
	int rc = 0;

	pthread_mutex_lock(&t->lock);
	host = name_tree_host(t, dir);
	if (take_turn(t, host, is_catalogued)) {
		pthread_mutex_unlock(&t->lock);
		rc = get_catalog(m, host, e);
		pthread_mutex_lock(&t->lock);
		host->dir.catalog_at = lazy_clock();
		host->dir.cataloguing++;
		if (rc == 0) {
			host->dir.has_catalog = true;
			host->dir.no_catalog = false;
			hide_gone(t, host);
			name_tree_show(t, host);
		} else if (rc == -ENOTSUP || rc == -ENOENT || rc == -EACCES) {
			if (rc == -EACCES && !host->dir.no_catalog)
				log_warn(m->log, "what %s has is not listed: %s",
					 host->text, e->text);
			host->dir.no_catalog = !host->dir.has_catalog;
			rc = 0;
		}
		end_turn(t, host);
	}
	if (rc < 0 && host->dir.has_catalog) {
		warn(m, rc, e);
		rc = 0;
	}
	if (rc == 0 && !host->dir.has_catalog)
		rc = -ENOTSUP;
	pthread_mutex_unlock(&t->lock);
	return rc;
}

/* TAGS */

struct listing_tags {
	struct mount *mount;
	struct name *dir;
};

static int add_tag(void *arg, const char *text)
{
	struct listing_tags *l = arg;
	struct name_tree *t = tree_of(l->mount);
	struct name *tag;
	int rc;

	pthread_mutex_lock(&t->lock);
	rc = name_tree_add(t, l->dir, NAME_TAG, text, strlen(text), &tag);
	if (rc == 0)
		tag->tag.listing = l->dir->dir.listing + 1;
	pthread_mutex_unlock(&t->lock);
	return rc;
}

static int get_tags(struct mount *m, struct name *dir, struct err *e)
{
	struct listing_tags l = {m, dir};
	struct image_source *o;
	int rc = open_repository(m, dir, &o, e);

	return rc < 0 ? rc : image_source_tags(o, add_tag, &l, e);
}

static void note_tags(struct name_tree *t, struct name *dir, int rc)
{
	bool is_none = rc == -ENOENT || rc == -EACCES || rc == -ENOTSUP;

	if (rc < 0 && !is_none)
		return;
	dir->dir.is_listed = true;
	dir->dir.listed_at = lazy_clock();
	dir->dir.listing++;
	if (rc == -ENOENT)
		dir->dir.is_repository = false;
	if (rc == 0) {
		dir->dir.is_repository = true;
		name_tree_show(t, dir);
	}
}

static int refresh_tags(struct mount *m, struct name *dir, struct err *e)
{
	struct name_tree *t = tree_of(m);
	int rc = 0;

	pthread_mutex_lock(&t->lock);
	if (take_turn(t, dir, name_tree_is_listed)) {
		pthread_mutex_unlock(&t->lock);
		rc = get_tags(m, dir, e);
		pthread_mutex_lock(&t->lock);
		note_tags(t, dir, rc);
		end_turn(t, dir);
	}
	if (rc < 0 && dir->dir.is_listed && rc != -ENOENT && rc != -EACCES) {
		if (rc != -ENOTSUP)
			warn(m, rc, e);
		rc = 0;
	}
	pthread_mutex_unlock(&t->lock);
	return rc;
}

/* What is refused, or not there, is a directory still if something is below it. */
static int judge_tags(struct mount *m, struct name *dir, int rc)
{
	struct name_tree *t = tree_of(m);
	bool has_more;

	if (rc != -ENOENT && rc != -EACCES)
		return rc;
	pthread_mutex_lock(&t->lock);
	has_more = name_tree_next(t, dir, 0) != NULL;
	pthread_mutex_unlock(&t->lock);
	return has_more || (rc == -ENOENT && dir->parent) ? 0 : rc;
}

static int run_list(struct task *task)
{
	struct ask *a = (struct ask *)task;
	struct mount *m = task->mount;
	struct err e = {"out of memory"};
	char path[NAME_PATH_MAX];
	int rc, tags = 0;

	name_tree_path(tree_of(m), a->name, path);
	rc = refresh_catalog(m, a->name, &e);
	if (rc == -ENOTSUP)
		rc = 0;
	if (rc == 0 && may_have_tags(a->name, path))
		tags = judge_tags(m, a->name, refresh_tags(m, a->name, &e));
	if (rc == 0)
		rc = tags;
	if (rc < 0)
		warn(m, rc, &e);
	return seen_errno(rc);
}

/* ONE TAG */

/* Adds the image to the repository. */
static int add_image(struct mount *m, struct name *dir, const struct digest *d,
		     struct err *e)
{
	char digest[DIGEST_TEXT_MAX];
	struct image_source *o;
	int rc = open_repository(m, dir, &o, e);

	return rc < 0 ? rc : namespace_add_image(m, dir, digest_format(d, digest), o);
}

static int open_reference(struct mount *m, struct name *dir, char separator,
			  const char *text, struct image_source **out, struct err *e)
{
	char path[NAME_PATH_MAX], *reference;
	int rc;

	name_tree_path(tree_of(m), dir, path);
	if (asprintf(&reference, "%s%c%s", path, separator, text) < 0)
		return err_set(e, -ENOMEM, "out of memory");
	rc = image_source_open(reference, m->client, out, e);
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

/* The tag, with its digest, as it is now. */
static int resolve_tag(struct mount *m, struct name *dir, const char *text, struct err *e)
{
	struct name_tree *t = tree_of(m);
	struct image_source *o = NULL;
	struct digest d;
	struct name *tag;
	int rc = open_reference(m, dir, ':', text, &o, e);

	if (rc == 0)
		rc = image_source_tag_digest(o, &d, e);
	image_source_close(o);
	if (rc == 0)
		rc = add_image(m, dir, &d, e);
	if (rc == -ENOENT)
		forget_tag(t, dir, text);
	if (rc < 0)
		return rc;
	pthread_mutex_lock(&t->lock);
	rc = name_tree_add(t, dir, NAME_TAG, text, strlen(text), &tag);
	if (rc == 0) {
		/* Another digest is another node: the kernel keeps the link of the old. */
		if (tag->tag.resolved_at && !digest_equal(&tag->tag.digest, &d))
			tag->tag.generation++;
		tag->tag.digest = d;
		tag->tag.has_digest = true;
		tag->tag.resolved_at = lazy_clock();
		dir->dir.is_repository = true;
		name_tree_show(t, dir);
	}
	pthread_mutex_unlock(&t->lock);
	return rc;
}

static int run_tag(struct task *task)
{
	struct ask *a = (struct ask *)task;
	struct mount *m = task->mount;
	struct name *dir = name_tree_get(tree_of(m), a->name->parent);
	struct err e = {"out of memory"};
	int rc = resolve_tag(m, dir, a->name->text, &e);

	if (rc < 0)
		warn(m, rc, &e);
	return seen_errno(rc);
}

/* WHAT A NAME IS */

static int add_dir(struct mount *m, struct name *parent, const char *text,
		   bool is_repository)
{
	struct name_tree *t = tree_of(m);
	struct name *dir;
	int rc;

	pthread_mutex_lock(&t->lock);
	rc = name_tree_add(t, parent, NAME_DIR, text, strlen(text), &dir);
	if (rc == 0) {
		dir->dir.is_checked = true;
		dir->dir.checked_at = lazy_clock();
		dir->dir.is_repository |= is_repository;
		if (is_repository)
			name_tree_show(t, dir);
	}
	pthread_mutex_unlock(&t->lock);
	return rc;
}

static bool is_in_catalog(struct mount *m, struct name *parent, const char *text)
{
	struct name_tree *t = tree_of(m);
	struct name *dir;
	bool is;

	pthread_mutex_lock(&t->lock);
	dir = name_tree_find(t, parent, NAME_DIR, text, strlen(text));
	is = dir && dir->dir.catalogued;
	pthread_mutex_unlock(&t->lock);
	return is;
}

static bool is_repository(struct mount *m, const struct name *dir)
{
	struct name_tree *t = tree_of(m);
	bool is;

	pthread_mutex_lock(&t->lock);
	is = dir->dir.is_repository;
	pthread_mutex_unlock(&t->lock);
	return is;
}

static int probe(struct mount *m, struct name *parent, const char *text, struct err *e)
{
	struct image_source *o = NULL;
	int rc = open_reference(m, parent, '/', text, &o, e);

	if (rc == 0)
		rc = image_source_probe(o, e);
	image_source_close(o);
	return rc;
}

/*
 * A directory: a repository, or something around repositories. Where there is no catalog
 * only the first can be asked about, and what might be the second is taken for it, unless
 * it would be below a repository; on docker.io, whose names have two parts, it is known.
 */
static int find_dir(struct mount *m, struct name *parent, const char *text, struct err *e)
{
	char path[NAME_PATH_MAX];
	int rc, catalog;

	name_tree_path(tree_of(m), parent, path);
	if (is_hub(path) && parent->dir.depth != 2)
		return parent->dir.depth == 1 ? add_dir(m, parent, text, false) : -ENOENT;
	rc = probe(m, parent, text, e);
	if (rc == 0)
		return add_dir(m, parent, text, true);
	if (m->options->client.offline) /* below may be what the store knows */
		return add_dir(m, parent, text, false);
	if ((rc != -ENOENT && rc != -EACCES && rc != -ENOTSUP) || is_hub(path))
		return rc;
	catalog = refresh_catalog(m, parent, e);
	if (catalog == 0)
		return is_in_catalog(m, parent, text) ? add_dir(m, parent, text, false)
						      : -ENOENT;
	if (catalog != -ENOTSUP)
		return catalog;
	return is_repository(m, parent) ? -ENOENT : add_dir(m, parent, text, false);
}

static bool ask_for_tag(struct mount *m, struct name *dir, const char *text)
{
	struct name_tree *t = tree_of(m);
	char path[NAME_PATH_MAX];
	bool is;

	name_tree_path(t, dir, path);
	if (!may_have_tags(dir, path) || !reference_is_tag(text, strlen(text)))
		return false;
	pthread_mutex_lock(&t->lock);
	is = !name_tree_is_listed(t, dir) &&
	     (dir->dir.is_repository || !dir->dir.is_checked ||
	      m->options->client.offline);
	pthread_mutex_unlock(&t->lock);
	return is;
}

static int run_child(struct task *task)
{
	struct ask *a = (struct ask *)task;
	struct mount *m = task->mount;
	struct err e = {"out of memory"};
	int rc = -ENOENT;

	if (ask_for_tag(m, a->name, a->text))
		rc = resolve_tag(m, a->name, a->text, &e);
	if ((rc == -ENOENT || rc == -EACCES ||
	     (rc == -EIO && m->options->client.offline)) &&
	    reference_is_path(a->text, strlen(a->text)))
		rc = find_dir(m, a->name, a->text, &e);
	if (rc < 0)
		warn(m, rc, &e);
	return seen_errno(rc);
}

/* AN IMAGE BY ITS DIGEST */

static int run_image(struct task *task)
{
	struct ask *a = (struct ask *)task;
	struct mount *m = task->mount;
	struct err e = {"out of memory"};
	struct image *img = NULL;
	struct image_source *o = NULL;
	struct digest d;
	int rc = open_reference(m, a->name, '@', a->text, &o, &e);

	/* Its documents are then in the store: loading it asks for them no more. */
	if (rc == 0)
		rc = image_source_resolve(o, &m->options->platform, &img, &e);
	image_free(img);
	image_source_close(o);
	if (rc == 0)
		rc = digest_parse(a->text, strlen(a->text), &d);
	if (rc == 0)
		rc = add_image(m, a->name, &d, &e);
	if (rc < 0)
		warn(m, rc, &e);
	return seen_errno(rc);
}

/* STARTING */

static void release(struct task *t)
{
	free(t);
}

static int ask(struct mount *m, int (*run)(struct task *t), struct name *name,
	       const char *text, struct waiter *w)
{
	struct ask *a = calloc(1, sizeof(*a) + strlen(text) + 1);

	if (!a)
		return -ENOMEM;
	a->task.run = run;
	a->task.release = release;
	a->name = name;
	strcpy(a->text, text);
	return seen_errno(task_run(m, &a->task, w));
}

int refresh_list(struct mount *m, struct name *dir, struct waiter *w)
{
	return ask(m, run_list, dir, "", w);
}

int refresh_child(struct mount *m, struct name *dir, const char *text, struct waiter *w)
{
	return ask(m, run_child, dir, text, w);
}

int refresh_tag(struct mount *m, struct name *tag, struct waiter *w)
{
	return ask(m, run_tag, tag, "", w);
}

int refresh_image(struct mount *m, struct name *dir, const char *digest, struct waiter *w)
{
	return ask(m, run_image, dir, digest, w);
}
