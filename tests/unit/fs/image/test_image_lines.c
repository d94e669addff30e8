/* SPDX-License-Identifier: MIT */
#include "fs/image/image_lines.h"

#include <errno.h>

#include "base/err.h"
#include "tests/unit/test.h"

/* Each line as "NUMBER NAME" or "NUMBER !". */
static const char *list(const char *text, size_t len, const char *prefix)
{
	static char out[4096];
	struct image_lines it = {.text = text, .len = len, .prefix = prefix};
	char name[REFERENCE_TEXT_MAX];
	struct reference r;
	struct err e;
	size_t n = 0;
	int rc;

	out[0] = '\0';
	while ((rc = image_lines_next(&it, &r, &e)) != 0 && n < sizeof(out) - 200)
		n += (size_t)snprintf(out + n, sizeof(out) - n, "%u %s;", it.line,
				      rc < 0 ? "!" : image_lines_name(&r, name));
	return out;
}

#define HEX  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define HUB  "docker.io/library/"
#define WEED "nginx \001x\n"

static void check_rows(void)
{
	static const struct {
		const char *text, *prefix, *want;
	} rows[] = {
		{"", "", ""},
		{"\n\n # only\n#\n", "", ""},
		{"nginx", "", "1 " HUB "nginx:latest;"},
		{"nginx:1\r\n\n\tghcr.io/a/b:c \n", "",
		 "1 " HUB "nginx:1;3 ghcr.io/a/b:c;"},
		{"# a\nnginx # the web\nx#y\n", "", "2 " HUB "nginx:latest;3 !;"},
		{"docker://nginx:1", "", "1 " HUB "nginx:1;"},
		{"nginx:1@sha256:" HEX, "", "1 " HUB "nginx@sha256:" HEX ";"},
		{"oci:dir\ndocker-archive:x\ndir:x\n", "", "1 !;2 !;3 !;"},
		{"localhost:5000/\nNginx\na b\n-\n", "", "1 !;2 !;3 !;4 !;"},
		{WEED "nginx:2", "", "1 !;2 " HUB "nginx:2;"},
		{"a.b/c:1\na.b/cd:1\na.b/c/d:1\nx.y/c:1\nc:1\n", "a.b/c",
		 "1 a.b/c:1;2 !;3 a.b/c/d:1;4 !;5 !;"},
		{"nginx:1\na/b:1\n", "docker.io/library", "1 " HUB "nginx:1;2 !;"},
		{"localhost:5000/x:1\n", "localhost:5000", "1 localhost:5000/x:1;"},
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		is_text(list(rows[i].text, strlen(rows[i].text), rows[i].prefix),
			rows[i].want, "row %zu", i);
	is_text(list("a\0b\nx:1", 7, ""), "1 !;2 " HUB "x:1;", "a NUL");
}

static void check_ceilings(void)
{
	struct image_lines it = {.prefix = ""};
	struct reference r;
	struct err e;
	char *text = calloc(1, 40000), *p = text;
	int i, rc, n = 0, over = 0;

	if (!text)
		exit(1);
	for (i = 0; i < IMAGE_LINES_MAX + 5; i++)
		p += sprintf(p, "# %d\nx:%d\n", i, i);
	it.text = text;
	it.len = strlen(text);
	while ((rc = image_lines_next(&it, &r, &e)) != 0) {
		n += rc == 1;
		over += rc == -E2BIG;
	}
	is_int(n, IMAGE_LINES_MAX, "as many as may be");
	is_int(over, 1, "then one complaint: %s", e.text);
	memset(text, 'x', 39999);
	it = (struct image_lines){.text = text, .len = 39999, .prefix = ""};
	is_int(image_lines_next(&it, &r, &e), -EINVAL, "a long line");
	ok(strlen(e.text) < 100, "is cut: %s", e.text);
	is_int(image_lines_next(&it, &r, &e), 0, "and the end follows");
	free(text);
}

int main(void)
{
	check_rows();
	check_ceilings();
	return test_done();
}
