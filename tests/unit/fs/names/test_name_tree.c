/* SPDX-License-Identifier: MIT */
#include "fs/names/name_tree.h"

#include <stdio.h>
#include <string.h>

#include "fs/image/lazy.h"
#include "tests/unit/test.h"

static struct name *add(struct nametree *t, struct name *dir, enum name_kind kind,
			const char *text)
{
	struct name *n = NULL;

	ok(nametree_add(t, dir, kind, text, strlen(text), &n) == 0, "add %s", text);
	return n;
}

static void check_numbers(void)
{
	struct nametree *t = NULL;
	struct name *top, *team, *app, *tag;
	char path[NAME_PATH_MAX];

	ok(nametree_new("localhost:5000", 60, &t) == 0, "a tree");
	top = nametree_get(t, NAME_TOP);
	ok(top && top->kind == NAME_DIR && top->dir.depth == 1, "its top is a host");
	ok(!nametree_get(t, 0) && !nametree_get(t, 2), "and there is nothing else");
	team = add(t, top, NAME_DIR, "team");
	app = add(t, team, NAME_DIR, "app");
	tag = add(t, team, NAME_TAG, "app");
	ok(app != tag && add(t, team, NAME_DIR, "app") == app, "a name has one number");
	ok(nametree_find(t, team, NAME_TAG, "appx", 3) == tag,
	   "found by kind and length");
	ok(!nametree_find(t, top, NAME_DIR, "app", 3), "and by where it is");
	is_text(nametree_path(t, app, path), "localhost:5000/team/app", "a path");
	is_text(nametree_path(t, top, path), "localhost:5000", "the top's");
	ok(nametree_host(t, app) == top && nametree_host(t, top) == top, "the host");
	is_int(app->dir.depth, 3, "two below it");
	nametree_free(t);
}

static void check_prefixes(void)
{
	struct nametree *t = NULL;
	struct name *top, *host, *n;
	char path[NAME_PATH_MAX];

	ok(nametree_new("docker.io/library", 60, &t) == 0, "a part of a registry");
	top = nametree_get(t, NAME_TOP);
	is_int(top->dir.depth, 2, "is below its host");
	n = add(t, top, NAME_DIR, "nginx");
	is_text(nametree_path(t, n, path), "docker.io/library/nginx",
		"whose name counts");
	ok(nametree_host(t, n) == top, "and stands for it");
	nametree_free(t);
	ok(nametree_new("", 60, &t) == 0, "all registries");
	top = nametree_get(t, NAME_TOP);
	ok(!nametree_host(t, top), "have no host");
	host = add(t, top, NAME_DIR, "ghcr.io");
	n = add(t, host, NAME_DIR, "o");
	is_text(nametree_path(t, n, path), "ghcr.io/o", "but hosts");
	ok(nametree_host(t, n) == host, "one above each name");
	nametree_free(t);
}

static size_t count(struct nametree *t, const struct name *dir)
{
	uint32_t after = 0;
	struct name *n;
	size_t i;

	for (i = 0; (n = nametree_next(t, dir, after)); i++)
		after = n->number;
	return i;
}

static void check_lists(void)
{
	struct nametree *t = NULL;
	struct name *top, *app, *old, *new, *sub;
	struct timespec before;
	char text[16];
	int i;

	nametree_new("h.x/app", 60, &t);
	top = app = nametree_get(t, NAME_TOP);
	is_int(count(t, top), 0, "an empty list");
	old = add(t, app, NAME_TAG, "old");
	is_int(count(t, app), 0, "a tag that is in no list is not listed");
	ok(!nametree_is_listed(t, app), "nor is there a list");
	old->tag.listing = 1;
	app->dir.is_listed = true;
	app->dir.listed_at = hold_clock();
	app->dir.listing = 1;
	ok(nametree_is_listed(t, app), "now there is");
	ok(nametree_next(t, app, 0) == old, "with the tag");
	new = add(t, app, NAME_TAG, "new");
	new->tag.listing = 2;
	is_int(count(t, app), 2, "while another comes in there are both");
	app->dir.listing = 2;
	ok(nametree_next(t, app, 0) == new &&count(t, app) == 1, "then the new ones");
	before = app->dir.changed;
	sub = add(t, app, NAME_DIR, "sub");
	is_int(count(t, app), 1, "a directory that has not answered is not listed");
	nametree_show(t, sub);
	is_int(count(t, app), 2, "one that has is");
	ok(before.tv_sec != app->dir.changed.tv_sec ||
		   before.tv_nsec != app->dir.changed.tv_nsec,
	   "and what is around it has changed");
	for (i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "t%d", i);
		nametree_add(t, app, NAME_TAG, text, strlen(text), &new);
		new->tag.listing = 2;
	}
	is_int(count(t, app), 1002, "many of them");
	ok(nametree_next(t, app, new->number) == NULL, "and an end");
	app->dir.listed_at = hold_clock() - 60;
	ok(!nametree_is_listed(t, app), "a list does not hold for ever");
	nametree_free(t);
}

static void check_one_name(void)
{
	struct nametree *t = NULL;
	struct name *app, *tag, *dir, *below;

	nametree_new("h.x/app", 60, &t);
	app = nametree_get(t, NAME_TOP);
	dir = add(t, app, NAME_DIR, "v1");
	tag = add(t, app, NAME_TAG, "v1");
	app->dir.is_listed = true;
	app->dir.listing = tag->tag.listing = 1;
	ok(!nametree_shown(t, app, "v1", 2), "a directory nobody knows");
	ok(nametree_next(t, app, 0) == tag && count(t, app) == 1, "leaves the tag alone");
	below = add(t, dir, NAME_DIR, "tools");
	nametree_show(t, below);
	ok(nametree_shown(t, app, "v1", 2) == dir, "one with a repository below");
	ok(nametree_next(t, app, 0) == dir && count(t, app) == 1, "has the name");
	dir->dir.is_shown = false;
	ok(nametree_next(t, app, 0) == tag && count(t, app) == 1, "as long as it is there");
	nametree_free(t);
}

int main(void)
{
	check_numbers();
	check_prefixes();
	check_lists();
	check_one_name();
	return test_done();
}
