/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "tests/unit/test.h"

static void test_accepts(void)
{
	static const char *const good[] = {
		"{}", "[]", "null", "1", "\"x\"", " {\"a\":[1,2,{\"b\":null}]}\n",
	};
	static const char *const bad[] = {
		"",    " ",   "{",   "{\"a\"}", "[1,]",	    "{} {}",
		"{}x", "\"a", "nul", "{'a':1}", "\"\x80\"",
	};
	struct json *j;
	struct err e;
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		ok(json_parse(good[i], strlen(good[i]), &j, &e) == 0, "accepts %zu", i);
		json_free(j);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		e.text[0] = '\0';
		is_int(json_parse(bad[i], strlen(bad[i]), &j, &e), -EBADMSG,
		       "refuses %zu", i);
		ok(e.text[0] != '\0', "with a sentence: %s", e.text);
	}
}

static void test_values(void)
{
	static const char text[] =
		"{\"a\":1,\"s\":\"x\\u00e9\\n\",\"n\":null,\"t\":true,\"f\":false,"
		"\"l\":[10,-3,1.5,1e3,9223372036854775807,9223372036854775808],"
		"\"z\":\"a\\u0000b\",\"a\":2}";
	struct json *j = NULL;
	const struct json *l;
	int64_t v = 77;

	is_int(json_parse(text, strlen(text), &j, NULL), 0, "parses");
	is_int(json_count(j), 8, "members are counted");
	ok(json_member_int(j, "a", &v) && v == 2, "the last of two equal keys is found");
	is_text(json_key(j, 0), "a", "keys keep their order");
	is_text(json_member_string(j, "s"), "x\xc3\xa9\n", "escapes");
	ok(json_member_string(j, "z") == NULL, "a string with NUL inside is none");
	ok(json_member_string(j, "a") == NULL, "a number is no string");
	ok(json_is_true(json_member(j, "t")), "true");
	ok(!json_is_true(json_member(j, "f")), "false");
	ok(!json_is_true(json_member(j, "nope")), "absent");
	is_int(json_type(json_member(j, "n")), JSON_NULL, "null");
	l = json_member(j, "l");
	is_int(json_count(l), 6, "items are counted");
	ok(json_int(json_item(l, 1), &v) && v == -3, "negative");
	ok(json_int(json_item(l, 4), &v) && v == INT64_MAX, "largest");
	v = 5;
	ok(!json_int(json_item(l, 2), &v) && v == 5, "a fraction is not whole");
	ok(!json_int(json_item(l, 3), &v) && v == 5, "nor is an exponent");
	ok(!json_int(json_item(l, 5), &v) && v == 5, "nor what does not fit");
	ok(json_item(l, 6) == NULL && json_member(l, "a") == NULL &&
		   json_item(j, 0) == NULL,
	   "what is not there is NULL");
	json_free(j);
}

static void test_depth(void)
{
	char text[20000];
	struct json *j = NULL;

	memset(text, '[', 10000);
	memset(text + 10000, ']', 10000);
	is_int(json_parse(text, sizeof(text), &j, NULL), -E2BIG,
	       "10,000 levels are refused");
	is_int(json_parse(text + 10000 - JSON_DEPTH_MAX, 2 * JSON_DEPTH_MAX, &j, NULL), 0,
	       "as many as said are not");
	json_free(j);
	is_int(json_parse(text + 9999 - JSON_DEPTH_MAX, 2 * JSON_DEPTH_MAX + 2, &j, NULL),
	       -E2BIG, "one more is");
}

static void test_append(void)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{"", "\"\""},
		{"a\"b\\c", "\"a\\\"b\\\\c\""},
		{"\n\t\x01\x7f", "\"\\n\\t\\u0001\\u007f\""},
		{"\xc3\xa9\xf0\x9f\x98\x80", "\"\xc3\xa9\xf0\x9f\x98\x80\""},
		{"\xff-\xc3", "\"\xef\xbf\xbd-\xef\xbf\xbd\""},
		{"\xc2\x9b\xe2\x80\xae\xc2\xa0", "\"\\u009b\\u202e\xc2\xa0\""},
		{"\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
		{"\xc0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\""},
	};
	struct json *j;
	struct buf b;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_init(&b, 1000);
		is_int(json_append_string(&b, rows[i].in, strlen(rows[i].in)), 0,
		       "row %zu", i);
		is_text(buf_text(&b), rows[i].out, "is written as expected");
		ok(json_parse(b.data, b.len, &j, NULL) == 0, "and read back");
		json_free(j);
		buf_release(&b);
	}
	buf_init(&b, 3);
	is_int(json_append_string(&b, "abc", 3), -E2BIG, "the ceiling holds");
	buf_release(&b);
}

/* Events */

static int write_event(void *arg, const struct json_event *ev)
{
	static const char *const marks[] = {
		[JSON_EVENT_VALUE] = "=",
		[JSON_EVENT_KEY] = "key ",
		[JSON_EVENT_OPEN] = "<",
		[JSON_EVENT_CLOSE] = ">",
	};
	struct buf *b = arg;
	int rc = buf_printf(b, "%zu%s", ev->depth, marks[ev->kind]);

	if (rc == 0 && ev->type == JSON_NUMBER && ev->is_whole)
		rc = buf_printf(b, "%lld", (long long)ev->number);
	else if (rc == 0 && ev->text)
		rc = buf_printf(b, "%.*s", (int)ev->len, ev->text);
	else if (rc == 0 && ev->kind == JSON_EVENT_VALUE)
		rc = buf_append_text(b, ev->type == JSON_NULL ? "null"
					: ev->truth	      ? "true"
							      : "false");
	else if (rc == 0)
		rc = buf_append_text(b, ev->type == JSON_ARRAY ? "array" : "object");
	return rc == 0 ? buf_append_text(b, "\n") : rc;
}

/* @piece: bytes at once. */
static int stream_all(const char *text, size_t len, size_t piece, struct buf *out,
		      struct err *e)
{
	struct json_stream *js = NULL;
	int rc = json_stream_new(write_event, out, &js);

	while (rc == 0 && len > 0) {
		size_t n = len < piece ? len : piece;

		rc = json_stream_feed(js, text, n, e);
		text += n;
		len -= n;
	}
	if (rc == 0)
		rc = json_stream_finish(js, e);
	json_stream_free(js);
	return rc;
}

static void test_stream(void)
{
	static const char text[] =
		"{\"a\": [1, -2.5, \"x\\ny\", {\"b\": null}], \"c\": true} ";
	static const char want[] =
		"0<object\n1key a\n1<array\n2=1\n2=-2.5\n2=x\ny\n2<object\n"
		"3key b\n3=null\n2>object\n1>array\n1key c\n1=true\n0>object\n";
	static const char *const bad[] = {"",	  " ",		"{",  "{} {}",
					  "[1,]", "[\"\xff\"]", "nul"};
	struct err e;
	struct buf b;
	size_t i;

	buf_init(&b, 10000);
	for (i = 1; i < sizeof(text); i++) {
		buf_clear(&b);
		is_int(stream_all(text, strlen(text), i, &b, NULL), 0, "pieces of %zu",
		       i);
		is_text(buf_text(&b), want, "the same is told");
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		e.text[0] = '\0';
		is_int(stream_all(bad[i], strlen(bad[i]), 3, &b, &e), -EBADMSG,
		       "\"%s\" is refused", bad[i]);
		ok(e.text[0], "and said why");
	}
	buf_release(&b);
	buf_init(&b, 3);
	is_int(stream_all(text, strlen(text), 5, &b, NULL), -E2BIG,
	       "what is told may end it");
	buf_release(&b);
}

static void test_stream_ceilings(void)
{
	size_t len = 3u << 20;
	char *text = malloc(len);
	struct buf b;

	if (!text)
		exit(77);
	buf_init(&b, len);
	memset(text, 'a', len);
	text[0] = '"';
	text[len - 1] = '"';
	is_int(stream_all(text, len, len, &b, NULL), -E2BIG,
	       "a string of 3 MiB is refused");
	is_int(b.len, 0, "and not told");
	memset(text, '[', len);
	is_int(stream_all(text, len, len, &b, NULL), -E2BIG, "and so are levels");
	free(text);
	buf_release(&b);
}

int main(void)
{
	test_stream();
	test_stream_ceilings();
	test_accepts();
	test_values();
	test_depth();
	test_append();
	return test_done();
}
