/* SPDX-License-Identifier: MIT */
#include "registry/http/fields.h"
#include "tests/unit/test.h"

static void test_range(void)
{
	static const struct {
		const char *text;
		bool good;
		struct content_range want;
	} rows[] = {
		{"bytes 0-99/100", true, {true, 0, 99, true, 100}},
		{"bytes 5-9/*", true, {true, 5, 9, false, 0}},
		{"Bytes=5-9/10", true, {true, 5, 9, true, 10}},
		{" bytes 5-9/10 ", true, {true, 5, 9, true, 10}},
		{"bytes */100", true, {false, 0, 0, true, 100}},
		{"bytes */*", false, {0}},
		{"bytes 9-5/100", false, {0}},
		{"bytes 0-100/100", false, {0}},
		{"bytes 0-/100", false, {0}},
		{"bytes -5/100", false, {0}},
		{"bytes 0-5", false, {0}},
		{"bytes 0-5/", false, {0}},
		{"bytes 0-5/6x", false, {0}},
		{"lines 0-5/6", false, {0}},
		{"bytes 0-99999999999999999999/*", false, {0}},
		{"", false, {0}},
	};
	struct content_range r;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!is_int(content_range_parse(rows[i].text, &r), rows[i].good, "\"%s\"",
			    rows[i].text) ||
		    !rows[i].good)
			continue;
		ok(r.has_range == rows[i].want.has_range &&
			   r.first == rows[i].want.first && r.last == rows[i].want.last &&
			   r.has_total == rows[i].want.has_total &&
			   r.total == rows[i].want.total,
		   "is read right");
	}
}

static void test_link(void)
{
	static const struct {
		const char *text, *want; /* "": none */
	} rows[] = {
		{"</v2/a/tags/list?n=2&last=b>; rel=\"next\"",
		 "/v2/a/tags/list?n=2&last=b"},
		{"<https://x/y>; rel=next", "https://x/y"},
		{"<a>; rel=prev, <b>; title=\"x, <c>; rel=next\"; REL=\"last next\"",
		 "b"},
		{"<a>;rel=next;x=y", "a"},
		{"<a>; flag; rel=next", "a"},
		{"<a>; rel=\"nextish\"", ""},
		{"<a>; rel=prev", ""},
		{"<a>", ""},
		{"<a", ""},
		{"", ""},
		{"<>; rel=\"", ""},
	};
	char got[100];
	size_t i, len;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *at = link_next(rows[i].text, &len);

		snprintf(got, sizeof(got), "%.*s", at ? (int)len : 0, at ? at : "");
		is_text(got, rows[i].want, "%s", rows[i].text);
	}
}

int main(void)
{
	test_range();
	test_link();
	return test_done();
}
