/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>

#include "base/err.h"
#include "registry/remote/name_page.h"
#include "tests/unit/test.h"

/* The names with a space behind each, and how many were said: "a b 3"; or "error N". */
static const char *read_page(enum name_page_kind kind, const char *text, size_t piece)
{
	static char out[300];
	struct name_page *n = NULL;
	size_t len = strlen(text), at, count = 0, said = 0, i;
	const char *name = NULL;
	struct err e = {""};
	int rc = name_page_new(kind, &n);

	if (rc < 0)
		exit(1);
	for (at = 0; at < len && rc == 0; at += piece)
		rc = name_page_feed(n, text + at, len - at < piece ? len - at : piece,
				    &e);
	if (rc == 0)
		name = name_page_finish(n, &count, &said, &e);
	out[0] = '\0';
	if (!name) {
		snprintf(out, sizeof(out), "error");
		ok(e.text[0] != '\0', "says: %s", e.text);
	}
	for (i = 0; name && i < count; i++, name += strlen(name) + 1) {
		strcat(out, name);
		strcat(out, " ");
	}
	if (name)
		snprintf(out + strlen(out), 20, "%zu", said);
	name_page_free(n);
	return out;
}

static void test_pages(void)
{
	static const struct {
		const char *text, *tags, *repositories;
	} rows[] = {
		{"{\"name\":\"a\",\"tags\":[\"x\",\"1.0\"]}", "x 1.0 2", "error"},
		{"{\"tags\":[],\"name\":\"a\"}", "0", "error"},
		{"{\"name\":\"a\",\"tags\":null}", "0", "error"},
		{"{\"repositories\":[\"a/b\",\"c\"]}", "error", "a/b c 2"},
		{"{\"tags\":[\"x\",null,7,\"\",\"no tag\",{\"tags\":[\"y\"]},[\"z\"],\"u\"]}",
		 "x u 8", "error"},
		{"{\"tags\":[\"sha256:00\",\"..\",\".\",\"_ok\",\"a/b\"]}", "_ok 5",
		 "error"},
		{"{\"repositories\":[\"A\",\"a/../b\",\"/a\",\"a//b\",\"ok\"]}", "error",
		 "ok 5"},
		{"{\"x\":{\"tags\":[\"inner\"]},\"tags\":[\"outer\"]}", "outer 1",
		 "error"},
		{"{\"tags\":[\"a\\u0000b\",\"c\\u0064\"]}", "cd 2", "error"},
		{"{\"tags\":\"x\"}", "error", "error"},
		{"{\"tags\":{\"x\":1}}", "error", "error"},
		{"[\"tags\",[\"x\"]]", "error", "error"},
		{"{\"tags\":[\"x\"", "error", "error"},
		{"{\"tags\":[\"x\"]}{}", "error", "error"},
		{"", "error", "error"},
		{"<html>", "error", "error"},
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		is_text(read_page(NAMES_TAGS, rows[i].text, 1000), rows[i].tags, "%s",
			rows[i].text);
		is_text(read_page(NAMES_TAGS, rows[i].text, 1), rows[i].tags,
			"byte by byte");
		is_text(read_page(NAMES_REPOSITORIES, rows[i].text, 7),
			rows[i].repositories, "as repositories");
	}
}

int main(void)
{
	test_pages();
	return test_done();
}
