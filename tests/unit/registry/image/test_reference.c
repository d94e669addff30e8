/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/err.h"
#include "registry/image/reference.h"
#include "tests/unit/test.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define A50   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* @want: the full form, or NULL for what is refused with @rc. */
static const struct {
	const char *text, *want;
	int rc;
} rows[] = {
	{"nginx", "docker.io/library/nginx:latest", 0},
	{"nginx:1.27", "docker.io/library/nginx:1.27", 0},
	{"library/nginx", "docker.io/library/nginx:latest", 0},
	{"user/app:V1_x-2.3", "docker.io/user/app:V1_x-2.3", 0},
	{"docker.io/nginx", "docker.io/library/nginx:latest", 0},
	{"docker.io/a/b", "docker.io/a/b:latest", 0},
	{"index.docker.io/nginx", "docker.io/library/nginx:latest", 0},
	{"registry-1.docker.io/nginx", "registry-1.docker.io/nginx:latest", 0},
	{"ghcr.io/o/r@sha256:" HEX64, "ghcr.io/o/r@sha256:" HEX64, 0},
	{"ghcr.io/o/r:t@sha256:" HEX64, "ghcr.io/o/r:t@sha256:" HEX64, 0},
	{"a@sha512:" HEX64 HEX64, "docker.io/library/a@sha512:" HEX64 HEX64, 0},
	/* no slash: a name and a tag, never a host */
	{"localhost:5000", "docker.io/library/localhost:5000", 0},
	{"example.com", "docker.io/library/example.com:latest", 0},
	{"localhost", "docker.io/library/localhost:latest", 0},
	{"localhost/a", "localhost/a:latest", 0},
	{"localhost:5000/a", "localhost:5000/a:latest", 0},
	{"localhost:5000/a/b:c", "localhost:5000/a/b:c", 0},
	{"localhosts/a", "docker.io/localhosts/a:latest", 0},
	{"host/a", "docker.io/host/a:latest", 0},
	{"host:1/a", "host:1/a:latest", 0},
	{"Host/a", "Host/a:latest", 0},
	{"HOST.example/a", "HOST.example/a:latest", 0},
	{"127.0.0.1:5000/a:1", "127.0.0.1:5000/a:1", 0},
	{"[::1]:5000/a", "[::1]:5000/a:latest", 0},
	{"[2001:db8::1]/a/b", "[2001:db8::1]/a/b:latest", 0},
	{"xn--n3h.com/a", "xn--n3h.com/a:latest", 0},
	{"x.y/a--b/c__d/e.f/g_h", "x.y/a--b/c__d/e.f/g_h:latest", 0},
	{"x.y/" A50 "/" A50 "/" A50 "/" A50 "/" A50,
	 "x.y/" A50 "/" A50 "/" A50 "/" A50 "/" A50 ":latest", 0},

	{"", NULL, -EINVAL},
	{":tag", NULL, -EINVAL},
	{"/a", NULL, -EINVAL},
	{"a/", NULL, -EINVAL},
	{"a//b", NULL, -EINVAL},
	{"a:", NULL, -EINVAL},
	{"a@", NULL, -EINVAL},
	{"a@sha256:", NULL, -EINVAL},
	{"a@sha256:" HEX64 "0", NULL, -EINVAL},
	{"a@sha256:ABCDEF6789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
	 NULL, -EINVAL},
	{"a@blake3:" HEX64, NULL, -ENOTSUP},
	{"a@sha256:" HEX64 ":t", NULL, -EINVAL},
	{"Nginx", NULL, -EINVAL},
	{"x.y/Nginx", NULL, -EINVAL},
	{"x.y/a..b", NULL, -EINVAL},
	{"x.y/a___b", NULL, -EINVAL},
	{"x.y/-a", NULL, -EINVAL},
	{"x.y/a-", NULL, -EINVAL},
	{"x.y/a_", NULL, -EINVAL},
	{"x.y/.a", NULL, -EINVAL},
	{"a b", NULL, -EINVAL},
	{"a:-x", NULL, -EINVAL},
	{"a:.x", NULL, -EINVAL},
	{"a:b:c", NULL, -EINVAL},
	{"a:b/c", NULL, -EINVAL},
	{"-x.y/a", NULL, -EINVAL},
	{"x..y/a", NULL, -EINVAL},
	{"x.y./a", NULL, -EINVAL},
	{"x_y.z/a", NULL, -EINVAL},
	{"x.y:/a", NULL, -EINVAL},
	{"x.y:8x/a", NULL, -EINVAL},
	{"[::1/a", NULL, -EINVAL},
	{"[::1%eth0]/a", NULL, -EINVAL},
	{"[]/a:1", NULL, -EINVAL},
	{HEX64, NULL, -EINVAL},
	{"x.y/" HEX64, "x.y/" HEX64 ":latest", 0},
	{"x.y/" A50 "/" A50 "/" A50 "/" A50 "/" A50 "aa", NULL, -EINVAL},
	{"https://x.y/a", NULL, -EINVAL},
};

static void test_hosts(void)
{
	static const char *const here[] = {"localhost",	   "localhost:5000", "127.0.0.1",
					   "127.1.2.3:80", "[::1]",	     "[::1]:5000",
					   "LOCALHOST"};
	static const char *const elsewhere[] = {"docker.io", "127.example.com",
						"[::2]",     "localhost.com",
						"128.0.0.1", "[::1]x"};
	size_t i;

	for (i = 0; i < sizeof(here) / sizeof(here[0]); i++)
		ok(reference_host_is_loopback(here[i]), "%s is here", here[i]);
	for (i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++)
		ok(!reference_host_is_loopback(elsewhere[i]), "%s is not", elsewhere[i]);
	ok(reference_is_short("nginx") && reference_is_short("a/b"), "short names");
	ok(!reference_is_short("docker.io/nginx") && !reference_is_short("localhost/x"),
	   "names with a host");
}

int main(void)
{
	char text[REFERENCE_TEXT_MAX], tag[131];
	struct reference r, again;
	struct err e;
	size_t i;
	int rc;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		e.text[0] = '\0';
		rc = reference_parse(rows[i].text, &r, &e);
		if (!is_int(rc, rows[i].rc, "\"%s\"", rows[i].text))
			continue;
		if (rc < 0) {
			ok(e.text[0] != '\0', "says: %s", e.text);
			continue;
		}
		is_text(reference_format(&r, text), rows[i].want, "is normalised");
		ok(reference_parse(text, &again, NULL) == 0 &&
			   memcmp(&r, &again, sizeof(r)) == 0,
		   "and stays so");
	}
	memset(tag, 'x', sizeof(tag));
	memcpy(tag, "a:", 2);
	tag[130] = '\0';
	is_int(reference_parse(tag, &r, NULL), 0, "a tag of 128 characters");
	ok(!reference_is_tag(tag + 1, 129), "one of 129 is none");
	test_hosts();
	return test_done();
}
