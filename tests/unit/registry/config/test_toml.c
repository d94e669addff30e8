/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/buf.h"
#include "base/err.h"
#include "registry/config/toml.h"
#include "tests/unit/test.h"

/* Writes each event as "path=kind:text@position;". */
static int record(void *arg, const struct toml_item *item)
{
	static const char kinds[] = "TNsbo";
	struct buf *b = arg;
	size_t i;

	for (i = 0; i < item->depth; i++)
		buf_printf(b, "%s%s", i ? "|" : "", item->path[i]);
	buf_printf(b, "=%c", kinds[item->what]);
	if (item->text)
		buf_printf(b, ":%s", item->text);
	if (item->at)
		buf_printf(b, "@%zu", item->at);
	return buf_append_text(b, ";");
}

static const struct {
	const char *text, *want; /* NULL: refused */
} rows[] = {
	{"", ""},
	{"# only a comment", ""},
	{"a = 'b'", "a=s:b;"},
	{"a='b' # c\n b = \"c\"\r\n", "a=s:b;b=s:c;"},
	{"a.b.\"c.d\" = true", "a|b|c.d=b:true;"},
	{"[t]\nk=false\n[[l]]\nk=1\n[[l.m]]\nk=2",
	 "t=T;t|k=b:false;l=N;l|k=o:1;l|m=N;l|m|k=o:2;"},
	{"[ a . 'b' ]\nk='x'", "a|b=T;a|b|k=s:x;"},
	{"[host.\"https://x:5000/v2\"]\nca=[\"a\",'b',\n # c\n \"c\" ,]",
	 "host|https://x:5000/v2=T;host|https://x:5000/v2|ca=s:a;host|https://x:5000/v2|ca=s:b@1;"
	 "host|https://x:5000/v2|ca=s:c@2;"},
	{"a=[[\"c\",\"k\"],['d']]", "a=s:c;a=s:k@1;a=s:d;"},
	{"m=[{location='x',insecure=true},{location='y'}]",
	 "m=N;m|location=s:x;m|insecure=b:true;m=N;m|location=s:y;"},
	{"a={b={c=1}}", "a=T;a|b=T;a|b|c=o:1;"},
	{"a=\"x\\t\\\"\\u00e9\\U0001F600\"", "a=s:x\t\"\xc3\xa9\xf0\x9f\x98\x80;"},
	{"a='x\\t'", "a=s:x\\t;"},
	{"a=\"\"\"\nx\n\"y\\\n   z\"\"\"", "a=s:x\n\"yz;"},
	{"a='''\nx'y\n'''", "a=s:x'y\n;"},
	{"a=1979-05-27T07:32:00Z\nb=-1.5e3\nc=inf",
	 "a=o:1979-05-27T07:32:00Z;b=o:-1.5e3;c=o:inf;"},
	{"\xef\xbb\xbf"
	 "a=1",
	 "a=o:1;"},

	{"a", NULL},
	{"a=", NULL},
	{"=1", NULL},
	{"a=b", NULL},
	{"a='b", NULL},
	{"a='b\n'", NULL},
	{"a=\"\"\"b", NULL},
	{"a=1 b=2", NULL},
	{"[a", NULL},
	{"[a]]", NULL},
	{"[[a]", NULL},
	{"[]", NULL},
	{"a=[1", NULL},
	{"a=[1 2]", NULL},
	{"a={b=1", NULL},
	{"a={b=1 c=2}", NULL},
	{"a=\"\\x\"", NULL},
	{"a=\"\\ud800\"", NULL},
	{"a=\"\\", NULL},
	{"a.b.c.d.e.f.g.h.i=1", NULL},
	{"a=[[[[[[[[[[[[1]]]]]]]]]]]]", NULL},
};

int main(void)
{
	static char huge[TOML_TEXT_MAX + 10];
	struct err e;
	struct buf b;
	size_t i;
	int rc;

	buf_init(&b, 10000);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_clear(&b);
		e.text[0] = '\0';
		rc = toml_parse(rows[i].text, strlen(rows[i].text), record, &b, &e);
		is_int(rc, rows[i].want ? 0 : -EBADMSG, "row %zu", i);
		if (rows[i].want)
			is_text(buf_text(&b), rows[i].want, "gives what it says");
		else
			ok(strstr(e.text, "line ") != NULL, "says where: %s", e.text);
	}
	memset(huge, 'x', sizeof(huge));
	memcpy(huge, "a='", 3);
	is_int(toml_parse(huge, sizeof(huge), record, &b, &e), -EBADMSG,
	       "a text that is too long");
	buf_release(&b);
	buf_init(&b, 3);
	is_int(toml_parse("abc='def'", 9, record, &b, &e), -E2BIG,
	       "the reader may end it");
	buf_release(&b);
	return test_done();
}
