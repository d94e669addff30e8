/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/err.h"
#include "registry/source_name.h"
#include "tests/unit/test.h"

static void test_forms(void)
{
	static const struct {
		const char *source, *prefix, *text;
		bool is_local, is_namespace;
		int rc;
	} rows[] = {
		{"nginx", "", "nginx", false, false, 0},
		{"docker://nginx:1", "docker://", "nginx:1", false, false, 0},
		{"localhost:5000/a", "", "localhost:5000/a", false, false, 0},
		{"oci:dir", "oci:", "dir", true, false, 0},
		{"oci-archive:a:b", "oci-archive:", "a:b", true, false, 0},
		{"docker-archive:a", "docker-archive:", "a", true, false, 0},
		{"dir:a/", "dir:", "a/", true, false, 0},
		{"dir:", "dir:", "", true, false, -EINVAL},
		{"ghcr.io/", "", "ghcr.io/", false, true, 0},
		{"docker://ghcr.io/", "docker://", "ghcr.io/", false, true, 0},
		{"/", "", "/", false, true, -EINVAL},
		{"", "", "", false, false, 0},
		{"docker-daemon:a", "docker-daemon:", "a", true, false, -ENOTSUP},
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct source_kind *k;
		const char *text;

		k = source_name_kind(rows[i].source, &text);
		is_text(k->prefix, rows[i].prefix, "%s: prefix", rows[i].source);
		is_text(text, rows[i].text, "%s: the rest", rows[i].source);
		is_int(source_name_is_local(rows[i].source), rows[i].is_local,
		       "%s: is local", rows[i].source);
		is_int(source_name_is_namespace(rows[i].source), rows[i].is_namespace,
		       "%s: is a namespace", rows[i].source);
		is_int(source_name_check(rows[i].source, NULL), rows[i].rc, "%s: check",
		       rows[i].source);
	}
}

static void test_tags(void)
{
	static const struct {
		const char *name, *tag; /* NULL: none */
	} rows[] = {
		{"docker.io/library/nginx:1.27", "1.27"},
		{"host:5000/name:1.27@sha256:00", "1.27"},
		{"host:5000/name", NULL},
		{"host:5000/name@sha256:00", NULL},
		{"oci:dir", NULL},
		{"oci:dir:tag", "tag"},
		{"oci:dir:", NULL},
		{"oci:dir:docker.io/library/a:2", "2"},
		{"oci-archive:file.tar", NULL},
		{"oci-archive:file.tar:tag", "tag"},
		{"docker-archive:file:name:3", "3"},
		{"docker-archive:file:@0", NULL},
		{"dir:a:b", NULL},
	};
	char text[32];
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = 0;
		const char *tag = source_name_tag(rows[i].name, &len);

		snprintf(text, sizeof(text), "%.*s", (int)len, tag ? tag : "");
		ok(!tag == !rows[i].tag, "%s: has a tag or none", rows[i].name);
		is_text(text, rows[i].tag ? rows[i].tag : "", "%s: tag", rows[i].name);
	}
}

int main(void)
{
	test_forms();
	test_tags();
	return test_done();
}
