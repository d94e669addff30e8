/* SPDX-License-Identifier: MIT */
/* Lookups in a namespace without a network: what the tree knows, and what it does not. */
#include "fs/names/name_lookup.h"

#include <errno.h>

#include "base/clock.h"
#include "base/err.h"
#include "fs/image/context.h"
#include "fs/image/images.h"
#include "fs/image/item.h"
#include "fs/image/layers.h"
#include "fs/image/status.h"
#include "fs/image/workers.h"
#include "fs/names/name_item.h"
#include "fs/names/name_tree.h"
#include "fs/names/namespace.h"
#include "fs/options/log.h"
#include "fs/options/options.h"
#include "tests/unit/test.h"

#define TTL    60
#define DIGEST "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct options options = {
	.cache = CACHE_NONE, .tag_ttl = TTL, .client = {.offline = true, .timeout = 1}};
static struct log quiet = {.is_verbose = false};
static struct context context;
static struct workers workers;
static struct layers layers;
static struct images images;
static struct snapshots snapshots;

static void start(void)
{
	struct err e = {""};

	if (context_open(&context, &options, &quiet, "/mnt", &e) < 0)
		exit(1);
	workers_init(&workers);
	layers_init(&layers, &context, &workers);
	images_init(&images, &context, &layers, &workers);
	snapshots_init(&snapshots);
	if (images_open_first(&images, NULL, &e) < 0)
		exit(1);
}

static void stop(void)
{
	images_close(&images);
	images_release(&images);
	layers_release(&layers);
	snapshots_release(&snapshots);
	workers_release(&workers);
	context_close(&context);
}

static struct name *add(struct namespace *ns, struct name *dir, enum name_kind kind,
			const char *text)
{
	struct name *n;

	if (name_tree_add(ns->tree, dir, kind, text, strlen(text), &n) < 0)
		exit(1);
	return n;
}

static struct name *add_dir(struct namespace *ns, struct name *parent, const char *text)
{
	struct name *dir = add(ns, parent, NAME_DIR, text);

	dir->dir.is_checked = dir->dir.is_repository = true;
	dir->dir.checked_at = clock_seconds();
	name_tree_show(ns->tree, dir);
	return dir;
}

/* Resolved @age seconds ago. */
static void add_tag(struct namespace *ns, struct name *dir, const char *text,
		    uint32_t age)
{
	struct name *tag = add(ns, dir, NAME_TAG, text);

	if (digest_parse(DIGEST, strlen(DIGEST), &tag->tag.digest) < 0)
		exit(1);
	tag->tag.has_digest = true;
	tag->tag.resolved_at = clock_seconds() - age;
}

/*
 * "reg.example/team": app has tags, an image, and a repository called like a tag; the tags
 * of lib were listed recently.
 */
static struct namespace *new_namespace(struct name **app, struct name **lib)
{
	struct namespace *ns = NULL;
	struct err e = {""};
	struct name *listed;

	if (namespace_new("reg.example/team/", &images, &snapshots, &ns, &e) < 0)
		exit(1);
	*app = add_dir(ns, name_tree_get(ns->tree, NAME_TOP), "app");
	add_tag(ns, *app, "fresh", 1);
	add_tag(ns, *app, "OLD", TTL + 10);
	add_tag(ns, *app, "both", 1);
	add_dir(ns, *app, "both");
	*lib = add_dir(ns, name_tree_get(ns->tree, NAME_TOP), "lib");
	listed = add(ns, *lib, NAME_TAG, "listed");
	listed->tag.listing = (*lib)->dir.listing = 1;
	(*lib)->dir.is_listed = true;
	(*lib)->dir.listed_at = clock_seconds();
	if (name_image_add(ns, *app, DIGEST, NULL) < 0)
		exit(1);
	return ns;
}

enum kind { NOTHING, DIR_ITEM, TAG_ITEM, FOREVER };

static const struct {
	enum { TOP, APP, LIB } dir;
	const char *name;
	int rc;
	enum kind kind;
	const char *what;
} rows[] = {
	{APP, "fresh", 0, TAG_ITEM, "a tag that was resolved recently"},
	{LIB, "listed", 0, TAG_ITEM, "a tag that was listed recently"},
	{APP, "OLD", 0, TAG_ITEM, "offline, an old tag serves"},
	{APP, "both", 0, DIR_ITEM, "a directory hides a tag of its name"},
	{TOP, "app:both", 0, TAG_ITEM, "which can be had as NAME:TAG"},
	{TOP, "app:fresh", 0, TAG_ITEM, "any tag can"},
	{TOP, "app:OLD", 0, TAG_ITEM, "offline, an old one, too"},
	{TOP, "app:gone", -EIO, NOTHING, "an unknown tag would have to be asked for"},
	{TOP, "app:", -ENOENT, NOTHING, "no tag"},
	{TOP, ":fresh", -ENOENT, NOTHING, "no repository"},
	{TOP, "app", 0, DIR_ITEM, "a known directory"},
	{TOP, "unknown", 0, DIR_ITEM, "offline, any path may be known to the store"},
	{LIB, "UPPER", -ENOENT, NOTHING, "a tag that is not in the list"},
	{APP, "UPPER", -EIO, NOTHING, "a name that can only be a tag"},
	{TOP, "app@" DIGEST, 0, FOREVER, "a known image"},
	{TOP, "app@sha256:12", -ENOENT, NOTHING, "no digest"},
	{TOP, "desktop.ini", -ENOENT, FOREVER, "what desktops look for"},
	{TOP, ".git", -ENOENT, FOREVER, "no repository begins with a dot"},
	{TOP, "a b", -ENOENT, NOTHING, "neither path nor tag"},
	{TOP, ".peelfs", 0, FOREVER, "ours"},
	{APP, ".peelfs", -ENOENT, FOREVER, "only at the top"},
};

static void check_rows(void)
{
	struct name *dirs[3];
	struct namespace *ns = new_namespace(&dirs[APP], &dirs[LIB]);
	struct item item;
	size_t i;

	dirs[TOP] = name_tree_get(ns->tree, NAME_TOP);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		is_int(name_lookup(ns, dirs[rows[i].dir], rows[i].name, NULL, &item),
		       rows[i].rc, "%s: %s", rows[i].name, rows[i].what);
		is_int(item.expires, rows[i].kind != FOREVER, "it expires, or does not");
		if (rows[i].kind == DIR_ITEM)
			ok(S_ISDIR(item.attr.st_mode), "a directory");
		if (rows[i].kind == TAG_ITEM)
			ok(S_ISLNK(item.attr.st_mode), "a symlink");
	}
	namespace_free(ns);
}

static void check_generations(void)
{
	struct name *app, *lib;
	struct namespace *ns = new_namespace(&app, &lib);
	struct item first, second;

	is_int(name_lookup(ns, app, "OLD", NULL, &first), 0, "an old tag");
	is_int(name_lookup(ns, app, "OLD", NULL, &second), 0, "once more");
	ok(second.node == first.node, "has one node while its digest is not known");
	is_int(name_lookup(ns, app, "fresh", NULL, &first), 0, "a recent one");
	name_tree_find(ns->tree, app, NAME_TAG, "fresh", 5)->tag.resolved_at -= TTL;
	is_int(name_lookup(ns, app, "fresh", NULL, &second), 0, "when its time is over");
	ok(second.node != first.node, "has another node");
	namespace_free(ns);
}

static void check_hosts(void)
{
	struct namespace *ns = NULL;
	struct err e = {""};
	struct item item;
	struct name *top;

	if (namespace_new("/", &images, &snapshots, &ns, &e) < 0)
		exit(1);
	top = name_tree_get(ns->tree, NAME_TOP);
	is_int(name_lookup(ns, top, "ghcr.io", NULL, &item), 0, "a host");
	ok(S_ISDIR(item.attr.st_mode), "is a directory");
	is_int(name_lookup(ns, top, "localhost:5000", NULL, &item), 0, "with a port");
	is_int(name_lookup(ns, top, "nginx", NULL, &item), -ENOENT, "no host");
	ok(item.expires, "for now");
	namespace_free(ns);
}

int main(void)
{
	start();
	check_rows();
	check_generations();
	check_hosts();
	stop();
	return test_done();
}
