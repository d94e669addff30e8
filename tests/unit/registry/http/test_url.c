/* SPDX-License-Identifier: MIT */
#include "registry/http/url.h"

#include "base/buf.h"
#include "registry/http/head.h"
#include "tests/unit/test.h"

static void test_urls(void)
{
	static const struct {
		const char *base, *link, *want; /* NULL: refused */
	} rows[] = {
		{"http://a/b/c?d", "/e", "http://a/e"},
		{"http://a/b/c?d", "e?f=g", "http://a/b/e?f=g"},
		{"http://a:5/b/", "//h/i", "http://h/i"},
		{"http://a/b", "https://x:443/y?z=1%2F2", "https://x:443/y?z=1%2F2"},
		{"http://a/b/c", "../e", "http://a/e"},
		{"http://a/b", "http://", NULL},
	};
	static const struct {
		const char *url, *want;
	} origins[] = {
		{"HTTP://Host/x", "http://host:80"},
		{"https://host:443/", "https://host:443"},
		{"https://host", "https://host:443"},
		{"http://u:p@host:8080/x@y", "http://host:8080"},
		{"http://[::1]:5000/", "http://[::1]:5000"},
		{"ftp://host/", NULL},
	};
	struct buf b;
	size_t i;
	int rc;

	buf_init(&b, HTTP_URL_MAX);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_clear(&b);
		rc = url_join(rows[i].base, rows[i].link, &b);
		is_text(rc < 0 ? NULL : buf_text(&b), rows[i].want, "%s on %s",
			rows[i].link, rows[i].base);
	}
	for (i = 0; i < sizeof(origins) / sizeof(origins[0]); i++) {
		buf_clear(&b);
		rc = url_origin(origins[i].url, &b);
		is_text(rc < 0 ? NULL : buf_text(&b), origins[i].want, "%s",
			origins[i].url);
	}
	buf_clear(&b);
	buf_append_text(&b, "http://a/t?x=y");
	url_query(&b, "s", "a b:c/&");
	is_text(buf_text(&b), "http://a/t?x=y&s=a%20b%3Ac%2F%26", "a query");
	buf_clear(&b);
	url_unescape(&b, "a%20b%3Ac%2F%26");
	is_text(buf_text(&b), "a b:c/&", "and its value again");
	buf_release(&b);
}

static void test_shown(void)
{
	static const struct {
		const char *url, *shown;
	} rows[] = {
		{"https://host/path?signature=s", "https://host/..."},
		{"http://me:pass@host:5000/path", "http://host:5000/..."},
		{"http://me:pa/ss@host/path", "http://me/..."},
		{"ftp://host?signature=s", "ftp://host/..."},
		{"http://[bad/path", "http://[bad/..."},
		{"http://[::1]:80", "http://[::1]:80"},
		{"gopher:/path?signature=s", "gopher:..."},
		{"/path?signature=s", "..."},
		{"", "..."},
	};
	char out[URL_SHOWN_MAX];
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		is_text(url_show(rows[i].url, out), rows[i].shown, "shown: row %zu", i);
}

int main(void)
{
	test_urls();
	test_shown();
	return test_done();
}
