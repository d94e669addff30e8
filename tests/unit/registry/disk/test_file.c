/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/source.h"
#include "registry/disk/file.h"
#include "tests/unit/test.h"

static void test_split(void)
{
	static const struct {
		const char *text, *path, *tag; /* NULL: none */
	} rows[] = {
		{"dir", "dir", NULL},	   {"dir:", "dir", NULL},
		{"dir:tag", "dir", "tag"}, {"a/b:host:5/c:1", "a/b", "host:5/c:1"},
		{"file:@0", "file", "@0"}, {"", "", NULL},
	};
	char *path, *tag;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (file_split(rows[i].text, &path, &tag) == 0) {
			is_text(path, rows[i].path, "%s: path", rows[i].text);
			is_text(tag ? tag : "(none)",
				rows[i].tag ? rows[i].tag : "(none)", "%s: tag",
				rows[i].text);
		}
		free(path);
		free(tag);
	}
}

static void test_read(void)
{
	struct source *s = NULL;
	struct err e = {""};
	struct buf b;

	buf_init(&b, 3);
	if (source_memory("abcd", 4, &s) < 0)
		exit(1);
	is_int(file_read(s, &b, &e), -E2BIG, "more than the ceiling: %s", e.text);
	is_int(b.len, 0, "reads nothing");
	source_unref(s);
	if (source_memory("abc", 3, &s) < 0)
		exit(1);
	is_int(file_read(s, &b, &e), 0, "a whole file");
	is_text(buf_text(&b), "abc", "is read");
	source_unref(s);
	buf_release(&b);
}

static void test_open(void)
{
	struct source *s = NULL;
	struct err e = {""};

	is_int(file_open(AT_FDCWD, "/nonexistent/x", &s, &e), -ENOENT, "%s", e.text);
	is_int(file_open(AT_FDCWD, "/", &s, &e), -EINVAL, "%s", e.text);
}

int main(void)
{
	test_split();
	test_read();
	test_open();
	return test_done();
}
