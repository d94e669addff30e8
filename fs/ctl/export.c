/* SPDX-License-Identifier: MIT */
/*
 * An export is filled as any store is: the new directory is the store of the images that are
 * loaded, and the own store is a lower one, whose content is copied. So what the own store
 * has is not fetched, an interrupted export continues where it stopped, and the directory
 * is a valid store at every moment. At the end it is opened for others.
 */
#include "fs/ctl/export.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/store/files.h"
#include "base/store/seal.h"
#include "base/store/store.h"
#include "fs/ctl/ctl.h"
#include "fs/ctl/fill.h"
#include "fs/ctl/words.h"
#include "fs/options/options.h"

#define LIST_MAX 65536

static int warm_prepare(void *arg, struct options *o, struct err *e)
{
	bool *index_only = arg;

	if (o->cache == CACHE_NONE)
		return err_set(e, -EINVAL, "cache=none keeps nothing");
	*index_only |= o->cache == CACHE_INDEX;
	return 0;
}

int export_warm(char **words)
{
	struct words w;
	struct fill f = {.command = "cache warm", .words = &w, .prepare = warm_prepare};
	const struct word_flag flags[] = {{.name = "index-only", .on = &f.index_only},
					  {.letter = '\0'}};
	struct err e = {""};
	int status;

	f.arg = &f.index_only;
	if (words_parse(&w, words, flags, &e) < 0)
		status = ctl_usage("%s: %s", f.command, e.text);
	else if (w.n_operands == 0)
		status = ctl_usage("%s: expected an image", f.command);
	else
		status = fill_images(&f);
	words_release(&w);
	return status;
}

/* EXPORT */

struct exporting {
	const char *dir;
	bool index_only;
	struct store *store;
};

/* Appends a directory to a list for options_next_dir(). */
static int add_dir(struct buf *list, const char *dir)
{
	int rc = list->len > 0 ? buf_append(list, ":", 1) : 0;

	for (; rc == 0 && *dir; dir++) {
		if (*dir == ':' || *dir == '\\')
			rc = buf_append(list, "\\", 1);
		if (rc == 0)
			rc = buf_append(list, dir, 1);
	}
	return rc;
}

static bool is_store(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool is = fd >= 0 && files_is_store(fd);

	if (fd >= 0)
		close(fd);
	return is;
}

/* The directory becomes the store, and the one that was it the first lower one. */
static int export_prepare(void *arg, struct options *o, struct err *e)
{
	const struct exporting *x = arg;
	char *own = o->cache_dir ? strdup(o->cache_dir) : store_default_dir();
	struct buf list;
	int rc = own ? 0 : -ENOMEM;

	buf_init(&list, LIST_MAX);
	if (rc == 0 && is_store(own))
		rc = add_dir(&list, own);
	if (rc == 0 && o->lower_cache && list.len > 0)
		rc = buf_append(&list, ":", 1);
	if (rc == 0 && o->lower_cache)
		rc = buf_append_text(&list, o->lower_cache);
	free(own);
	own = rc == 0 ? strdup(store_dir(x->store)) : NULL;
	if (!own) {
		buf_release(&list);
		return err_set(e, -ENOMEM, "out of memory");
	}
	free(o->cache_dir);
	free(o->lower_cache);
	o->cache_dir = own;
	o->lower_cache = list.len > 0 ? buf_take(&list) : NULL;
	buf_release(&list);
	o->copies_lower = true;
	o->cache = x->index_only ? CACHE_INDEX : CACHE_DATA;
	o->cache_size = INT64_MAX;
	return 0;
}

/* Whether the directory has no entries. */
static bool is_empty(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	bool is = dir != NULL;

	while (is && (entry = readdir(dir)))
		is = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
	if (dir)
		closedir(dir);
	return is;
}

static int open_target(struct exporting *x, struct err *e)
{
	struct stat st;
	int rc;

	if (mkdir(x->dir, 0755) == 0) { /* the umask of peelctl is for its own store */
		if (chmod(x->dir, 0755) < 0)
			return err_set(e, -errno, "%s: %s", x->dir, strerror(errno));
	} else if (errno != EEXIST || stat(x->dir, &st) < 0) {
		return err_set(e, -errno, "%s: %s", x->dir, strerror(errno));
	} else if (!is_store(x->dir) && !is_empty(x->dir)) {
		return err_set(
			e, -EEXIST,
			"%s is neither empty nor a store of peelfs; it stays as it is",
			x->dir);
	}
	rc = store_open(x->dir, &x->store, e);
	return rc < 0 ? rc : store_reserve(x->store, e);
}

/* Whether the words name the directory as the store to read from. */
static int check_source(const struct exporting *x, const struct words *w, struct err *e)
{
	struct stat to, from;
	struct options o;
	char *own = NULL;
	int rc = words_options(w, w->operands[1], &o, e);

	if (rc == 0)
		own = o.cache_dir ? strdup(o.cache_dir) : store_default_dir();
	if (own && stat(own, &from) == 0 && stat(x->dir, &to) == 0 &&
	    from.st_dev == to.st_dev && from.st_ino == to.st_ino)
		rc = err_set(e, -EINVAL, "%s is the store itself; name another directory",
			     x->dir);
	free(own);
	options_release(&o);
	return rc;
}

static int run_export(struct exporting *x, const struct words *w)
{
	const struct fill f = {
		.command = "cache export",
		.words = w,
		.first = 1,
		.index_only = x->index_only,
		.prepare = export_prepare,
		.arg = x,
	};
	struct err e = {""};
	int status;

	x->dir = w->operands[0];
	if (check_source(x, w, &e) < 0 || open_target(x, &e) < 0) {
		store_close(x->store);
		return ctl_error("%s", e.text);
	}
	status = fill_images(&f);
	if (store_seal(x->store, &e) < 0)
		status = ctl_error("%s", e.text);
	store_close(x->store);
	return status;
}

int export_store(char **words)
{
	struct words w;
	struct exporting x = {NULL};
	const struct word_flag flags[] = {{.name = "index-only", .on = &x.index_only},
					  {.letter = '\0'}};
	struct err e = {""};
	int status;

	if (words_parse(&w, words, flags, &e) < 0)
		status = ctl_usage("cache export: %s", e.text);
	else if (w.n_operands < 2)
		status = ctl_usage("cache export: expected a directory and an image");
	else
		status = run_export(&x, &w);
	words_release(&w);
	return status;
}
