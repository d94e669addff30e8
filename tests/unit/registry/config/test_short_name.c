/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>

#include "base/err.h"
#include "registry/config/registries.h"
#include "registry/config/short_name.h"
#include "tests/unit/test.h"

static char path[] = "/tmp/peelfs-test-XXXXXX";

static void write_conf(const char *text)
{
	FILE *f = fopen(path, "w");

	if (!f || fputs(text, f) < 0 || fclose(f) != 0)
		exit(1);
}

static void is_expanded(const char *text, const char *want)
{
	char got[500] = "";
	struct registries r = {0};
	struct candidates c = {0};
	struct err e = {""};
	size_t i;

	is_int(registries_load(&r, &e), 0, "the file %s", e.text);
	is_int(short_name_expand(&r, text, &c, &e), 0, "%s %s", text, e.text);
	for (i = 0; i < c.n; i++) {
		strcat(got, i ? " " : "");
		strcat(got, c.list[i]);
	}
	is_text(got, want, "is tried so");
	candidates_release(&c);
	registries_release(&r);
}

static void is_refused(const char *text)
{
	struct registries r = {0};
	struct candidates c = {0};
	struct err e = {""};

	is_int(registries_load(&r, &e), 0, "the file %s", e.text);
	is_int(short_name_expand(&r, text, &c, &e), -EINVAL, "%s is not guessed", text);
	ok(strstr(e.text, text) != NULL, "says: %s", e.text);
	registries_release(&r);
}

int main(void)
{
	if (mkstemp(path) < 0)
		return 1;
	setenv("CONTAINERS_REGISTRIES_CONF", path, 1);
	is_expanded("nginx", "nginx");
	is_expanded("x.y/nginx:1", "x.y/nginx:1");
	write_conf(
		"unqualified-search-registries=['a.b','c.d:5000']\n[aliases]\nubuntu='q.r/u/buntu'\n");
	is_expanded("nginx:1", "a.b/nginx:1 c.d:5000/nginx:1");
	is_expanded("team/nginx", "a.b/team/nginx c.d:5000/team/nginx");
	is_expanded("x.y/nginx", "x.y/nginx");
	is_expanded("localhost/nginx", "localhost/nginx");
	is_expanded("ubuntu", "q.r/u/buntu");
	is_expanded("ubuntu:24.04@sha256:0", "q.r/u/buntu:24.04@sha256:0");
	is_expanded("team/ubuntu", "a.b/team/ubuntu c.d:5000/team/ubuntu");
	write_conf(
		"unqualified-search-registries=['a.b','c.d']\nshort-name-mode='enforcing'\n"
		"[aliases]\nubuntu='q.r/u/buntu'\n");
	is_expanded("ubuntu", "q.r/u/buntu");
	is_expanded("x.y/nginx", "x.y/nginx");
	is_refused("nginx:1");
	write_conf(
		"unqualified-search-registries=['a.b']\nshort-name-mode='enforcing'\n");
	is_expanded("nginx:1", "a.b/nginx:1");
	remove(path);
	return test_done();
}
