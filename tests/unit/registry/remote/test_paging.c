/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/buf.h"
#include "base/err.h"
#include "registry/remote/paging.h"
#include "tests/unit/test.h"

static void test_next(void)
{
	static const struct {
		const char *link, *next;
	} rows[] = {
		{NULL, ""},
		{"", ""},
		{"</v2/a/tags/list?n=5&last=c>; rel=\"next\"", "tags/list?n=5&last=c"},
		{"<?n=5&last=c>; rel=next", "tags/list?n=5&last=c"},
		{"<http://other:1/x?n=5&next_page=a%3D#f>; rel=\"next\"",
		 "tags/list?n=5&next_page=a%3D"},
		{"</v2/a/tags/list?n=5>; rel=\"prev\"", ""},
		{"</p?n=1>; rel=prev, </n?n=2>; rel=next", "tags/list?n=2"},
		{"</v2/a/tags/list?n=1000>; rel=\"next\"", "error"}, /* the page itself */
		{"</v2/a/tags/list>; rel=\"next\"", "error"},
		{"</v2/a/tags/list?a b>; rel=\"next\"", "error"},
		{"</v2/a/tags/list?a\x01>; rel=\"next\"", "error"},
		{"</v2/a/tags/list?\xff>; rel=\"next\"", "error"},
	};
	struct buf next;
	size_t i;

	buf_init(&next, 100);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err e = {""};
		int rc = paging_next("tags/list?n=1000", rows[i].link, &next, &e);

		if (rc < 0)
			ok(rc == -EBADMSG && e.text[0], "says: %s", e.text);
		is_text(rc < 0 ? "error" : buf_text(&next), rows[i].next, "%s",
			rows[i].link ? rows[i].link : "no link");
	}
	buf_release(&next);
}

int main(void)
{
	test_next();
	return test_done();
}
