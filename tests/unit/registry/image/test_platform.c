/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/err.h"
#include "registry/image/platform.h"
#include "tests/unit/test.h"

static void test_parse(void)
{
	static const struct {
		const char *text, *want; /* NULL: refused */
	} rows[] = {
		{"linux/amd64", "linux/amd64"},
		{"LINUX/AMD64", "linux/amd64"},
		{"amd64", "linux/amd64"},
		{"x86_64", "linux/amd64"},
		{"linux/amd64/v1", "linux/amd64"},
		{"linux/amd64/v3", "linux/amd64/v3"},
		{"arm", "linux/arm/v7"},
		{"armhf", "linux/arm/v7"},
		{"armel", "linux/arm/v6"},
		{"arm/v6", "linux/arm/v6"},
		{"linux/arm/6", "linux/arm/v6"},
		{"aarch64", "linux/arm64"},
		{"arm64/v8", "linux/arm64"},
		{"arm64/8", "linux/arm64"},
		{"arm64/v8.0", "linux/arm64"},
		{"arm64/9.0", "linux/arm64/v9"},
		{"arm64/v9.2", "linux/arm64/v9.2"},
		{"i386", "linux/386"},
		{"macos/arm64", "darwin/arm64"},
		{"windows/amd64", "windows/amd64"},
		{"s390x", "linux/s390x"},
		{"freebsd/sparc64", "freebsd/sparc64"},
		{"", NULL},
		{"linux", NULL},
		{"linux/", NULL},
		{"/amd64", NULL},
		{"linux//v7", NULL},
		{"linux/arm/v7/x", NULL},
		{"linux/am d64", NULL},
		{"linux/0123456789012345678901234567890123456789", NULL},
	};
	char text[PLATFORM_TEXT_MAX];
	struct platform p;
	struct err e;
	size_t i;
	int rc;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		rc = platform_parse(rows[i].text, &p, &e);
		is_int(rc, rows[i].want ? 0 : -EINVAL, "\"%s\"", rows[i].text);
		if (rc == 0)
			is_text(platform_format(&p, '/', text), rows[i].want,
				"is normalised");
	}
	platform_parse("linux/arm/v7", &p, NULL);
	is_text(platform_format(&p, '-', text), "linux-arm-v7", "as a file name");
}

/* An index may say anything: of that no more than a harmless name is left. */
static void test_file_names(void)
{
	static const struct {
		struct platform p;
		const char *name;
	} rows[] = {
		{{"linux", "arm64", "v8.1"}, "linux-arm64-v8.1"},
		{{"linux", "a_b", "x-y"}, "linux-a_b-x-y"},
		{{"linux", "a/b", ""}, "linux-a_b"},
		{{"..", "../../x", ""}, "..-.._.._x"},
		{{"..", "", ""}, "..-"},
		{{"linux", "\ny\033[m", "\x7f "}, "linux-_y__m-__"},
		{{"linux", "\xc3\xa9", ""}, "linux-__"},
	};
	char text[PLATFORM_TEXT_MAX];
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		is_text(platform_format(&rows[i].p, '-', text), rows[i].name, "%zu", i);
	is_text(platform_format(&rows[2].p, '/', text), "linux/a/b",
		"to be read it is as it was");
}

static unsigned match(const char *want, const char *have)
{
	struct platform w, h;

	if (platform_parse(want, &w, NULL) < 0 || platform_parse(have, &h, NULL) < 0)
		return 77777;
	return platform_match(&w, &h);
}

/* Each list is in order of preference; what follows the NULL is refused. */
static void test_order(void)
{
	static const char *const lists[][16] = {
		{"amd64/v3", "amd64/v3", "amd64/v2", "amd64", "386", NULL, "amd64/v4",
		 "arm64", "windows/amd64", NULL},
		{"amd64", "amd64", "386", NULL, "amd64/v2", NULL},
		{"arm64", "arm64", "arm/v8", "arm/v7", "arm/v6", "arm/v5", NULL,
		 "arm64/v9", "arm64/v8.1", NULL},
		{"arm64/v9.1", "arm64/v9.1", "arm64/v9", "arm64/v8.6", "arm64/v8.1",
		 "arm64", "arm/v8", "arm/v7", NULL, "arm64/v9.2", "arm64/v8.7", NULL},
		{"arm64/v8.2", "arm64/v8.2", "arm64/v8.1", "arm64", "arm/v7", NULL,
		 "arm64/v8.3", NULL},
		{"arm/v7", "arm/v7", "arm/v6", "arm/v5", NULL, "arm/v8", "arm64", NULL},
		{"arm/v6", "arm/v6", "arm/v5", NULL, "arm/v7", NULL},
		{"386", "386", NULL, "amd64", NULL},
		{"riscv64", "riscv64", NULL, "amd64", NULL},
	};
	size_t i, j;

	for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		unsigned last = ~0u, now;

		for (j = 1; lists[i][j]; j++) {
			now = match(lists[i][0], lists[i][j]);
			ok(now > 0 && now < last, "%s takes %s (%u)", lists[i][0],
			   lists[i][j], now);
			last = now;
		}
		for (j++; lists[i][j]; j++)
			is_int(match(lists[i][0], lists[i][j]), 0, "%s refuses %s",
			       lists[i][0], lists[i][j]);
	}
}

int main(void)
{
	struct platform p;

	test_parse();
	test_file_names();
	test_order();
	platform_host(&p);
	is_text(p.os, "linux", "the host's system");
	ok(p.arch[0] != '\0', "the host's architecture: %s %s", p.arch, p.variant);
	ok(platform_match(&p, &p) > 0, "runs what is for it");
	return test_done();
}
