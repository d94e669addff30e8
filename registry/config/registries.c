/* SPDX-License-Identifier: MIT */
#include "registry/config/registries.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/array.h"
#include "base/buf.h"
#include "base/err.h"
#include "registry/config/paths.h"
#include "registry/config/toml.h"

/* Of each kind of entry. */
#define COUNT_MAX 10000
/* Distributions ship some hundreds of aliases in 30 KiB. */
#define FILE_MAX (1u << 20)

static void registry_release(struct registry *g)
{
	size_t i;

	for (i = 0; i < g->n_mirrors; i++)
		free(g->mirrors[i].location);
	free(g->mirrors);
	free(g->prefix);
	free(g->location);
	*g = (struct registry){0};
}

void registries_release(struct registries *r)
{
	size_t i;

	for (i = 0; i < r->n; i++)
		registry_release(&r->list[i]);
	for (i = 0; i < r->n_aliases; i++) {
		free(r->aliases[i].name);
		free(r->aliases[i].value);
	}
	for (i = 0; i < r->n_search; i++)
		free(r->search[i]);
	for (i = 0; i < r->n_helpers; i++)
		free(r->helpers[i]);
	free(r->list);
	free(r->aliases);
	free(r->search);
	free(r->helpers);
	*r = (struct registries){0};
}

/* A new zeroed element at the end of *list. NULL: out of memory, or too many. */
static void *list_append(void *list, size_t *n, size_t size)
{
	char *items;

	if (*n == COUNT_MAX || array_grow(list, *n, size) < 0)
		return NULL;
	memcpy(&items, list, sizeof(items));
	return memset(items + (*n)++ * size, 0, size);
}

/* Reading one file */

struct registries_parser {
	struct registries *all;
	size_t first; /* the first registry of this file */
};

static int set_text(char **to, const char *text)
{
	free(*to);
	*to = strdup(text);
	return *to ? 0 : -ENOMEM;
}

static int on_registry(struct registry *g, const struct toml_item *item)
{
	const char *key = item->path[1];

	if (item->what == TOML_STRING && strcmp(key, "prefix") == 0)
		return set_text(&g->prefix, item->text);
	if (item->what == TOML_STRING && strcmp(key, "location") == 0)
		return set_text(&g->location, item->text);
	if (item->what != TOML_BOOL)
		return 0;
	if (strcmp(key, "insecure") == 0)
		g->insecure = item->truth;
	else if (strcmp(key, "blocked") == 0)
		g->blocked = item->truth;
	else if (strcmp(key, "mirror-by-digest-only") == 0)
		g->mirror_by_digest_only = item->truth;
	return 0;
}

static int on_mirror(struct mirror *m, const struct toml_item *item)
{
	const char *key = item->path[2];

	if (item->what == TOML_STRING && strcmp(key, "location") == 0)
		return set_text(&m->location, item->text);
	if (item->what == TOML_BOOL && strcmp(key, "insecure") == 0)
		m->insecure = item->truth;
	if (item->what == TOML_STRING && strcmp(key, "pull-from-mirror") == 0)
		m->from = strcmp(item->text, "digest-only") == 0 ? PULL_BY_DIGEST
			  : strcmp(item->text, "tag-only") == 0	 ? PULL_BY_TAG
								 : PULL_ALL;
	return 0;
}

static int add_alias(struct registries *r, const char *name, const char *value)
{
	struct alias *a = list_append(&r->aliases, &r->n_aliases, sizeof(*a));

	if (!a)
		return -ENOMEM;
	a->name = strdup(name);
	a->value = strdup(value);
	return a->name && a->value ? 0 : -ENOMEM;
}

/* An item of a list, which replaces the list of an earlier file. */
static int add_text(char ***list, size_t *n, const struct toml_item *item)
{
	char **p;

	while (item->at == 0 && *n > 0)
		free((*list)[--*n]);
	p = list_append(list, n, sizeof(*p));
	if (!p)
		return -ENOMEM;
	*p = strdup(item->text);
	return *p ? 0 : -ENOMEM;
}

/* A string outside all tables. */
static int on_top(struct registries *r, const struct toml_item *item)
{
	const char *key = item->path[0];

	if (strcmp(key, "unqualified-search-registries") == 0)
		return add_text(&r->search, &r->n_search, item);
	if (strcmp(key, "credential-helpers") == 0)
		return add_text(&r->helpers, &r->n_helpers, item);
	if (strcmp(key, "short-name-mode") == 0)
		r->is_enforcing = strcmp(item->text, "enforcing") == 0;
	return 0;
}

static int on_item(void *arg, const struct toml_item *item)
{
	struct registries_parser *rd = arg;
	struct registries *r = rd->all;
	struct registry *last = r->n > rd->first ? &r->list[r->n - 1] : NULL;

	if (item->what == TOML_NEW_TABLE && toml_is(item, 1, "registry"))
		return list_append(&r->list, &r->n, sizeof(*r->list)) ? 0 : -ENOMEM;
	if (item->what == TOML_NEW_TABLE && last &&
	    toml_is(item, 2, "registry", "mirror"))
		return list_append(&last->mirrors, &last->n_mirrors,
				   sizeof(*last->mirrors))
			       ? 0
			       : -ENOMEM;
	if (item->what == TOML_TABLE || item->what == TOML_NEW_TABLE)
		return 0;
	if (item->depth == 2 && strcmp(item->path[0], "registry") == 0 && last)
		return on_registry(last, item);
	if (item->depth == 3 && strcmp(item->path[0], "registry") == 0 &&
	    strcmp(item->path[1], "mirror") == 0 && last && last->n_mirrors > 0)
		return on_mirror(&last->mirrors[last->n_mirrors - 1], item);
	if (item->what != TOML_STRING)
		return 0;
	if (item->depth == 2 && strcmp(item->path[0], "aliases") == 0)
		return add_alias(r, item->path[1], item->text);
	return item->depth == 1 ? on_top(r, item) : 0;
}

static const char *prefix_of(const struct registry *g)
{
	return g->prefix && g->prefix[0] ? g->prefix : g->location ? g->location : "";
}

/* A registry replaces one with the same prefix from an earlier file. */
static void replace_earlier(struct registries *r, size_t first)
{
	size_t i, j;

	for (i = first; i < r->n; i++) {
		for (j = 0; j < first; j++) {
			if (prefix_of(&r->list[j])[0] &&
			    strcmp(prefix_of(&r->list[i]), prefix_of(&r->list[j])) == 0)
				registry_release(&r->list[j]);
		}
	}
}

int registries_parse(struct registries *r, const char *text, size_t len, struct err *e)
{
	struct registries_parser rd = {.all = r, .first = r->n};
	int rc = toml_parse(text, len, on_item, &rd, e);

	if (rc == -ENOMEM)
		return err_set(e, rc, "too many entries, or out of memory");
	if (rc == 0)
		replace_earlier(r, rd.first);
	return rc;
}

/* Finding */

/* Whether @prefix matches @name, and how many characters of it. */
static bool prefix_matches(const char *prefix, const char *name, size_t *len)
{
	size_t host = strcspn(name, "/"), n = strlen(prefix);

	if (n == 0)
		return false;
	if (prefix[0] == '*' && prefix[1] == '.') {
		*len = host;
		return host > n - 1 &&
		       strncasecmp(name + host - (n - 1), prefix + 1, n - 1) == 0;
	}
	*len = n;
	return strncmp(name, prefix, n) == 0 && strchr("/:@", name[n]); /* or the end */
}

const struct registry *registries_match(const struct registries *r, const char *name)
{
	const struct registry *best = NULL;
	size_t i, len, most = 0;

	for (i = 0; i < r->n; i++) {
		const char *prefix = prefix_of(&r->list[i]);

		if (prefix_matches(prefix, name, &len) && strlen(prefix) > most) {
			best = &r->list[i];
			most = strlen(prefix);
		}
	}
	return best;
}

char *registries_rewrite(const struct registry *g, const char *name, const char *location)
{
	size_t len, size;
	char *out;

	if (!location || !location[0] || !prefix_matches(prefix_of(g), name, &len))
		return strdup(name);
	size = strlen(location) + strlen(name + len) + 1;
	out = malloc(size);
	if (out)
		snprintf(out, size, "%s%s", location, name + len);
	return out;
}

const char *registries_alias(const struct registries *r, const char *name)
{
	size_t i;

	for (i = r->n_aliases; i-- > 0;) {
		if (strcmp(r->aliases[i].name, name) == 0)
			return r->aliases[i].value[0] ? r->aliases[i].value : NULL;
	}
	return NULL;
}

/* Files */

static int load_file(struct registries *r, const char *path, struct err *e)
{
	struct buf text;
	int rc;

	buf_init(&text, FILE_MAX);
	rc = paths_read(path, &text);
	if (rc == 0 && text.len > 0)
		rc = registries_parse(r, text.data, text.len, e);
	else if (rc == -ENOENT || rc == -ENOTDIR || rc == -EACCES)
		rc = 0;
	else if (rc < 0)
		err_set(e, rc, "%s", strerror(-rc));
	buf_release(&text);
	return rc == -EBADMSG ? err_prefix(e, -EINVAL, "%s", path)
	       : rc < 0	      ? err_prefix(e, rc, "%s", path)
			      : 0;
}

static int is_conf(const struct dirent *d)
{
	size_t len = strlen(d->d_name);

	return len > 5 && d->d_name[0] != '.' &&
	       strcmp(d->d_name + len - 5, ".conf") == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int load_folder(struct registries *r, const char *folder, struct err *e)
{
	struct dirent **names = NULL;
	char path[PATH_MAX];
	int n = scandir(folder, &names, is_conf, by_name), i, rc = 0;

	for (i = 0; i < n; i++) {
		if (rc == 0 && paths_join(path, folder, names[i]->d_name) == 0)
			rc = load_file(r, path, e);
		free(names[i]);
	}
	free(names);
	return rc;
}

int registries_load(struct registries *out, struct err *e)
{
	const char *only = getenv("CONTAINERS_REGISTRIES_CONF");
	char own[PATH_MAX], own_folder[PATH_MAX];
	struct registries r = {0};
	int rc;

	paths_config(own, "containers/registries.conf");
	paths_config(own_folder, "containers/registries.conf.d");
	if (only && only[0]) {
		rc = load_file(&r, only, e);
	} else if (paths_exists(own)) {
		rc = load_file(&r, own, e);
	} else {
		rc = load_file(&r, "/etc/containers/registries.conf", e);
		if (rc == 0)
			rc = load_folder(&r, "/etc/containers/registries.conf.d", e);
	}
	if (rc == 0 && !(only && only[0]))
		rc = load_folder(&r, own_folder, e);
	if (rc < 0)
		registries_release(&r);
	else
		*out = r;
	return rc;
}
