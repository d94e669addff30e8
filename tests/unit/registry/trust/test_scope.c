/* SPDX-License-Identifier: MIT */
#include "registry/trust/scope.h"

#include <errno.h>

#include "base/err.h"
#include "registry/image/reference.h"
#include "tests/unit/test.h"

#define D "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static char walked[4096];
static const char *wanted;

static bool on_scope(void *arg, const char *scope)
{
	(void)arg;
	snprintf(walked + strlen(walked), sizeof(walked) - strlen(walked), "%s%s",
		 walked[0] ? " " : "", scope[0] ? scope : "-");
	return wanted && strcmp(scope, wanted) == 0;
}

static void walk(const char *transport, const char *reference, const char *path)
{
	struct reference r;
	struct subject s = {.transport = transport, .path = path};

	if (reference && reference_parse(reference, &r, NULL) == 0)
		s.reference = &r;
	walked[0] = '\0';
	is_int(scope_walk(&s, on_scope, NULL), wanted != NULL, "the walk ends");
}

static void test_walk(void)
{
	walk("docker", "nginx", NULL);
	is_text(walked,
		"docker.io/library/nginx:latest docker.io/library/nginx docker.io/library "
		"docker.io *.io -",
		"a short name");
	walk("docker", "a.b.example.com:5000/x/y:t", NULL);
	is_text(walked,
		"a.b.example.com:5000/x/y:t a.b.example.com:5000/x/y "
		"a.b.example.com:5000/x a.b.example.com:5000 *.b.example.com "
		"*.example.com *.com -",
		"a port");
	walk("docker", "localhost:5000/x@" D, NULL);
	is_text(walked, "localhost:5000/x@" D " localhost:5000/x localhost:5000 -",
		"a digest");
	walk("docker", "localhost/x:t@" D, NULL);
	is_text(walked, "localhost/x@" D " localhost/x localhost -", "tag and digest");
	walk("docker", "[::1]:5000/x:t", NULL);
	is_text(walked, "[::1]:5000/x:t [::1]:5000/x [::1]:5000 -", "IPv6");
	walk("oci", NULL, "/a/b/c");
	is_text(walked, "/a/b/c /a/b /a -", "a path");
	walk("dir", NULL, "/");
	is_text(walked, "/ -", "the root");
	walk("oci-archive", NULL, NULL);
	is_text(walked, "-", "standard input");
	walk("docker-archive", NULL, "/a/b");
	is_text(walked, "-", "a docker archive");
	wanted = "*.example.com";
	walk("docker", "a.example.com/x:t", NULL);
	is_text(walked, "a.example.com/x:t a.example.com/x a.example.com *.example.com",
		"it ends at the length that was given");
}

static void test_check(void)
{
	static const struct {
		const char *transport, *scope;
		int rc;
	} rows[] = {
		{"dir", "/a/b", 0},	      {"dir", "", 0},
		{"dir", "/", -EBADMSG},	      {"dir", "a/b", -EBADMSG},
		{"oci", "/a/", -EBADMSG},     {"oci", "/a//b", -EBADMSG},
		{"oci", "/a/../b", -EBADMSG}, {"oci", "/a/./b", -EBADMSG},
		{"oci", "/a/..", -EBADMSG},   {"oci", "/a/...", 0},
		{"oci-archive", "/a.tar", 0}, {"oci-archive", "x", -EBADMSG},
		{"docker-archive", "", 0},    {"docker-archive", "/a", -EBADMSG},
		{"docker", "docker.io/x", 0}, {"docker", "nonsense ", 0},
		{"docker-daemon", "x", 0},
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		is_int(scope_check(rows[i].transport, rows[i].scope, NULL), rows[i].rc,
		       "%s \"%s\"", rows[i].transport, rows[i].scope);
}

int main(void)
{
	test_walk();
	test_check();
	return test_done();
}
