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
#include "fs/options/options.h"
#include "fs/image/workers.h"
#include "fs/names/name_item.h"
#include "fs/names/name_list.h"
#include "fs/names/name_tree.h"
#include "fs/names/namespace.h"
#include "registry/image/reference.h"
#include "registry/image_source.h"

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

static int seen_errno(int rc)
{
	return rc == -ENOENT ? rc : context_errno(rc);
}

/* Whether @dir is deep enough to be a repository. */
static bool may_have_tags(const struct name *dir, const char *path)
{
	return dir->dir.depth >= (namespace_is_hub(path) ? 3 : 2);
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
	rc = name_list_catalog(ns, r->name, &e);
	if (rc == -ENOTSUP)
		rc = 0;
	if (rc == 0 && may_have_tags(r->name, path))
		tags = judge_tags(ns, r->name, name_list_tags(ns, r->name, &e));
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
	int rc = name_list_open_repository(ns, dir, &o, e);

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
	name_list_note_failure(ns, dir, rc == 1 ? -EIO : rc);
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
	name_list_note_failure(ns, parent, rc);
	if (rc == 0)
		return add_dir(ns, parent, text, true);
	if (ns->context->options->client.offline) /* the store may know names below */
		return add_dir(ns, parent, text, false);
	if ((rc != -ENOENT && rc != -EACCES && rc != -ENOTSUP) || namespace_is_hub(path))
		return rc;
	catalog = name_list_catalog(ns, parent, e);
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
