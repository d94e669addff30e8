/* SPDX-License-Identifier: MIT */
#include "fs/names/name_tree.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "tests/unit/test.h"

static struct name *add(struct name_tree *t, struct name *dir, enum name_kind kind,
			const char *text)
{
	struct name *n = NULL;

	ok(name_tree_add(t, dir, kind, text, strlen(text), &n) == 0, "add %s", text);
	return n;
}

static void check_numbers(void)
{
	struct name_tree *t = NULL;
	struct name *top, *team, *app, *tag;
	char path[NAME_PATH_MAX];

	ok(name_tree_new("localhost:5000", 60, &t) == 0, "a tree");
	top = name_tree_get(t, NAME_TOP);
	ok(top && top->kind == NAME_DIR && top->dir.depth == 1, "its top is a host");
	ok(!name_tree_get(t, 0) && !name_tree_get(t, 2), "and there is nothing else");
	team = add(t, top, NAME_DIR, "team");
	app = add(t, team, NAME_DIR, "app");
	tag = add(t, team, NAME_TAG, "app");
	ok(app != tag && add(t, team, NAME_DIR, "app") == app, "a name has one number");
	ok(name_tree_find(t, team, NAME_TAG, "appx", 3) == tag,
	   "found by kind and length");
	ok(!name_tree_find(t, top, NAME_DIR, "app", 3), "and by where it is");
	is_text(name_tree_path(t, app, path), "localhost:5000/team/app", "a path");
	is_text(name_tree_path(t, top, path), "localhost:5000", "the top's");
	ok(name_tree_host(t, app) == top && name_tree_host(t, top) == top, "the host");
	is_int(app->dir.depth, 3, "two below it");
	name_tree_free(t);
}

static void check_prefixes(void)
{
	struct name_tree *t = NULL;
	struct name *top, *host, *n;
	char path[NAME_PATH_MAX];

	ok(name_tree_new("docker.io/library", 60, &t) == 0, "a part of a registry");
	top = name_tree_get(t, NAME_TOP);
	is_int(top->dir.depth, 2, "is below its host");
	n = add(t, top, NAME_DIR, "nginx");
	is_text(name_tree_path(t, n, path), "docker.io/library/nginx",
		"whose name counts");
	ok(name_tree_host(t, n) == top, "and stands for it");
	name_tree_free(t);
	ok(name_tree_new("", 60, &t) == 0, "all registries");
	top = name_tree_get(t, NAME_TOP);
	ok(!name_tree_host(t, top), "have no host");
	host = add(t, top, NAME_DIR, "ghcr.io");
	n = add(t, host, NAME_DIR, "o");
	is_text(name_tree_path(t, n, path), "ghcr.io/o", "but hosts");
	ok(name_tree_host(t, n) == host, "one above each name");
	name_tree_free(t);
}

static size_t count(struct name_tree *t, const struct name *dir)
{
	uint32_t after = 0;
	struct name *n;
	size_t i;

	for (i = 0; (n = name_tree_next(t, dir, after)); i++)
		after = n->number;
	return i;
}

static void check_lists(void)
{
	struct name_tree *t = NULL;
	struct name *top, *app, *old, *new, *sub;
	struct timespec before;
	char text[16];
	int i;

	name_tree_new("h.x/app", 60, &t);
	top = app = name_tree_get(t, NAME_TOP);
	is_int(count(t, top), 0, "an empty list");
	old = add(t, app, NAME_TAG, "old");
	is_int(count(t, app), 0, "a tag that is in no list is not listed");
	ok(!name_tree_is_listed(t, app), "nor is there a list");
	old->tag.listing = 1;
	app->dir.is_listed = true;
	app->dir.listed_at = clock_seconds();
	app->dir.listing = 1;
	ok(name_tree_is_listed(t, app), "now there is");
	ok(name_tree_next(t, app, 0) == old, "with the tag");
	new = add(t, app, NAME_TAG, "new");
	new->tag.listing = 2;
	is_int(count(t, app), 2, "while another comes in there are both");
	app->dir.listing = 2;
	ok(name_tree_next(t, app, 0) == new &&count(t, app) == 1, "then the new ones");
	before = app->dir.changed;
	sub = add(t, app, NAME_DIR, "sub");
	is_int(count(t, app), 1, "a directory that has not answered is not listed");
	name_tree_show(t, sub);
	is_int(count(t, app), 2, "one that has is");
	ok(before.tv_sec != app->dir.changed.tv_sec ||
		   before.tv_nsec != app->dir.changed.tv_nsec,
	   "and what is around it has changed");
	for (i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "t%d", i);
		name_tree_add(t, app, NAME_TAG, text, strlen(text), &new);
		new->tag.listing = 2;
	}
	is_int(count(t, app), 1002, "many of them");
	ok(name_tree_next(t, app, new->number) == NULL, "and an end");
	app->dir.listed_at = clock_seconds() - 60;
	ok(!name_tree_is_listed(t, app), "a list does not hold for ever");
	name_tree_free(t);
}

static void check_one_name(void)
{
	struct name_tree *t = NULL;
	struct name *app, *tag, *dir, *below;

	name_tree_new("h.x/app", 60, &t);
	app = name_tree_get(t, NAME_TOP);
	dir = add(t, app, NAME_DIR, "v1");
	tag = add(t, app, NAME_TAG, "v1");
	app->dir.is_listed = true;
	app->dir.listing = tag->tag.listing = 1;
	ok(!name_tree_shown(t, app, "v1", 2), "a directory nobody knows");
	ok(name_tree_next(t, app, 0) == tag && count(t, app) == 1,
	   "leaves the tag alone");
	below = add(t, dir, NAME_DIR, "tools");
	name_tree_show(t, below);
	ok(name_tree_shown(t, app, "v1", 2) == dir, "one with a repository below");
	ok(name_tree_next(t, app, 0) == dir && count(t, app) == 1, "has the name");
	dir->dir.is_shown = false;
	ok(name_tree_next(t, app, 0) == tag && count(t, app) == 1,
	   "as long as it is there");
	name_tree_free(t);
}

/* What any reader can ask for is bounded; what is known or in use stays. */
static void check_forgetting(void)
{
	struct name_tree *t = NULL;
	struct name *top, *shown, *around, *below, *pinned, *n = NULL;
	uint32_t first, i, good = 0;
	char text[32];

	ok(name_tree_new("", 60, &t) == 0, "all registries");
	top = name_tree_get(t, NAME_TOP);
	first = add(t, top, NAME_DIR, "first.x")->number;
	shown = add(t, top, NAME_DIR, "shown.x");
	name_tree_show(t, shown);
	around = add(t, top, NAME_DIR, "around.x");
	below = add(t, around, NAME_DIR, "below");
	name_tree_add(t, below, NAME_IMAGE, "sha256:1", 8, &n);
	pinned = name_tree_pin(t, add(t, top, NAME_DIR, "pinned.x")->number);
	ok(!name_tree_pin(t, 99), "no name, no pin");
	for (i = 0; i < 3 * NAMES_MANY; i++) {
		snprintf(text, sizeof(text), "h%u.x", i);
		good += name_tree_add(t, top, NAME_DIR, text, strlen(text), &n) == 0 &&
			name_tree_get(t, n->number) == n &&
			name_tree_find(t, top, NAME_DIR, text, strlen(text)) == n;
	}
	is_int(good, 3 * NAMES_MANY, "many are looked up");
	ok(top->dir.n < NAMES_MANY + NAMES_MANY / 16, "of which %zu are kept",
	   top->dir.n);
	ok(!name_tree_get(t, first) && !name_tree_find(t, top, NAME_DIR, "first.x", 7),
	   "an old one is forgotten");
	for (i = 1; i < top->dir.n && top->dir.children[i - 1] < top->dir.children[i];)
		i++;
	is_int(i, top->dir.n, "the others are in order");
	ok(name_tree_find(t, top, NAME_DIR, "shown.x", 7) == shown, "a known one stays");
	ok(name_tree_find(t, around, NAME_DIR, "below", 5) == below &&
		   name_tree_find(t, top, NAME_DIR, "around.x", 8) == around,
	   "one with an image, and what is around it");
	ok(name_tree_find(t, top, NAME_DIR, "pinned.x", 8) == pinned, "and a pinned one");
	name_tree_unpin(t, pinned);
	n = add(t, top, NAME_DIR, "first.x");
	ok(n->number != first, "the old one is another now");
	name_tree_free(t);
}

int main(void)
{
	check_numbers();
	check_prefixes();
	check_lists();
	check_one_name();
	check_forgetting();
	return test_done();
}
