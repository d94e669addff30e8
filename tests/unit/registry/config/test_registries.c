/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/err.h"
#include "registry/config/registries.h"
#include "tests/unit/test.h"

static const char conf[] =
	"unqualified-search-registries = ['a.example', 'b.example']\n"
	"short-name-mode = 'enforcing'\n"
	"credential-helpers = ['containers-auth.json', 'secretservice']\n"
	"[[registry]]\nprefix='x.y'\nlocation='in.x.y:5000/cache'\ninsecure=true\n"
	"[[registry.mirror]]\nlocation='m1/x'\npull-from-mirror='digest-only'\n"
	"[[registry.mirror]]\nlocation='m2'\ninsecure=true\n"
	"[[registry]]\nlocation='x.y/team'\n"
	"[[registry]]\nprefix='*.w.org'\nblocked=true\n"
	"[[registry]]\nprefix='docker.io/library'\nlocation='mirror.local/hub'\n"
	"[aliases]\nubuntu='docker.io/library/ubuntu'\n'a/b'='q.example/a/b'\ngone='z/z'\n";

static const char later[] = "unqualified-search-registries = ['c.example']\n"
			    "[[registry]]\nprefix='x.y'\nlocation='other'\n"
			    "[aliases]\ngone=''\n";

static void is_match(const struct registries *r, const char *name, const char *prefix,
		     const char *rewritten)
{
	const struct registry *g = registries_match(r, name);
	char *text;

	if (!ok((g != NULL) == (prefix != NULL), "%s is%s known", name,
		prefix ? "" : " not") ||
	    !g)
		return;
	is_text(g->prefix ? g->prefix : g->location, prefix, "by its longest prefix");
	text = registries_rewrite(g, name, g->location);
	is_text(text, rewritten, "and is had there");
	free(text);
}

static void test_files(void)
{
	char dir[] = "/tmp/peelfs-test-XXXXXX", path[128], command[64];
	struct registries r;
	struct err e;
	FILE *f;

	if (!mkdtemp(dir))
		exit(1);
	snprintf(path, sizeof(path), "%s/r.conf", dir);
	f = fopen(path, "w");
	if (!f || fputs(conf, f) < 0 || fclose(f) != 0)
		exit(1);
	setenv("CONTAINERS_REGISTRIES_CONF", path, 1);
	is_int(registries_load(&r, &e), 0, "a file that was named");
	is_int(r.n, 4, "is read");
	registries_release(&r);
	f = fopen(path, "w");
	if (!f || fputs("[[registry\n", f) < 0 || fclose(f) != 0)
		exit(1);
	is_int(registries_load(&r, &e), -EINVAL, "a bad one");
	ok(strstr(e.text, path) && strstr(e.text, "line 1"), "is named: %s", e.text);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ok(system(command) == 0, "removed");
}

int main(void)
{
	struct registries r = {0};
	struct err e = {""};
	char *text;

	is_int(registries_parse(&r, conf, strlen(conf), &e), 0, "parses (%s)", e.text);
	is_int(r.n, 4, "registries");
	is_int(r.n_search, 2, "search list");
	is_text(r.search[1], "b.example", "in order");
	ok(r.is_enforcing, "names are not to be guessed");
	ok(r.n_helpers == 2 && strcmp(r.helpers[1], "secretservice") == 0, "helpers");
	is_match(&r, "x.y/a", "x.y", "in.x.y:5000/cache/a");
	is_match(&r, "x.y/team/a", "x.y/team", "x.y/team/a");
	is_match(&r, "x.y/teams", "x.y", "in.x.y:5000/cache/teams");
	is_match(&r, "x.yz/a", NULL, NULL);
	is_match(&r, "q.w.org/a", "*.w.org", "q.w.org/a");
	is_match(&r, "w.org/a", NULL, NULL);
	is_match(&r, "docker.io/library/nginx", "docker.io/library",
		 "mirror.local/hub/nginx");
	is_match(&r, "docker.io/user/nginx", NULL, NULL);
	ok(registries_match(&r, "q.w.org/a")->blocked, "blocked");
	ok(r.list[0].insecure && r.list[0].n_mirrors == 2, "mirrors");
	is_int(r.list[0].mirrors[0].from, PULL_BY_DIGEST, "by digest only");
	ok(!r.list[0].mirrors[0].insecure && r.list[0].mirrors[1].insecure,
	   "insecure or not");
	text = registries_rewrite(&r.list[0], "x.y/a", r.list[0].mirrors[0].location);
	is_text(text, "m1/x/a", "a mirror's name");
	free(text);
	is_text(registries_alias(&r, "ubuntu"), "docker.io/library/ubuntu", "alias");
	is_text(registries_alias(&r, "a/b"), "q.example/a/b", "of two words");
	is_text(registries_alias(&r, "nope"), NULL, "none");
	is_int(registries_parse(&r, later, strlen(later), &e), 0, "a later file");
	is_match(&r, "x.y/a", "x.y", "other/a");
	is_text(registries_alias(&r, "gone"), NULL, "takes an alias back");
	ok(r.n_search == 1 && strcmp(r.search[0], "c.example") == 0,
	   "and has a list of its own");
	registries_release(&r);
	test_files();
	return test_done();
}
