/* SPDX-License-Identifier: MIT */
#include "fs/ctl/storage_conf.h"

#include <errno.h>

#include "base/buf.h"
#include "base/err.h"
#include "tests/unit/test.h"

#define T "[storage.options]\n"
#define K "additionalimagestores = "

static const struct {
	const char *text, *want; /* NULL: refused */
} rows[] = {
	{"", T K "[\"/s\"]\n"},
	{"[storage]\ndriver = \"overlay\"",
	 "[storage]\ndriver = \"overlay\"\n" T K "[\"/s\"]\n"},
	{"[storage]\n" T "x = 1\n", "[storage]\n" T K "[\"/s\"]\nx = 1\n"},
	{"[storage.options]", T K "[\"/s\"]\n"},
	{"# " K "[]\n" T, "# " K "[]\n" T K "[\"/s\"]\n"},
	{T K "[]\n", T K "[\"/s\"]\n"},
	{T K "[\n]\n", T K "[\"/s\"\n]\n"},
	{T "  additionalimagestores=[ \"/a\" ] # mine\n",
	 T "  additionalimagestores=[\"/s\",  \"/a\" ] # mine\n"},
	{T K "[\n  \"/a\", # ] \"/s\"\n]\nx = 'y'\n",
	 T K "[\"/s\", \n  \"/a\", # ] \"/s\"\n]\nx = 'y'\n"},
	{T "[storage.options.overlay]\nmountopt = \"nodev\"\n",
	 T K "[\"/s\"]\n[storage.options.overlay]\nmountopt = \"nodev\"\n"},
	{"[storage.options.overlay]\nsize = \"\"\n",
	 "[storage.options.overlay]\nsize = \"\"\n" T K "[\"/s\"]\n"},
	{T "\r\nx = true\r\n", T K "[\"/s\"]\n\r\nx = true\r\n"},
	{T K "[\"/s\"]\n", ""},
	{T K "[\n\"/a\",\n\"/s\",\n]\n", ""},
	/* What is right in TOML, but for a parser: */
	{"[storage]\noptions = {additionalimagestores = []}\n", NULL},
	{"[storage]\noptions.additionalimagestores = []\n", NULL},
	{"storage.options.additionalimagestores = []\n", NULL},
	{"[ storage.options ]\n", NULL},
	{"[storage.\"options\"]\n", NULL},
	{"[[storage.options]]\n", NULL},
	{T "\"additionalimagestores\" = []\n", NULL},
	{"x = \"\"\"\n" T "\"\"\"\n", NULL},
	{"x = '''\n" T "'''\n", NULL},
	{"x = \"\\\"\n", NULL},
	{T K "[\"\\u002f\"]\n", NULL},
	{T K "[[\"/a\"]]\n", NULL},
	{T K "[\"/a\"] x\n", NULL},
	{T K "[\"/a\"\n", NULL},
	{T K "\"/a\"\n", NULL},
	{T K "[\"/a\"]\n" K "[\"/a\"]\n", NULL},
	{T "[a]\n" T, NULL},
	{"[storage]\n" K "[]\n", NULL},
	{K "[]\n", NULL},
	{"<html>\n", NULL},
	{"[storage\n", NULL},
	{"x =\n", NULL},
	{"x\n", NULL},
};

static void check_row(size_t i)
{
	struct err e = {""};
	struct buf text, out;
	int rc, want = !rows[i].want ? -ENOTSUP : rows[i].want[0] ? 1 : 0;

	buf_init(&text, STORAGE_CONF_MAX);
	buf_init(&out, STORAGE_CONF_MAX);
	if (buf_append_text(&text, rows[i].text) < 0)
		exit(1);
	rc = storage_conf_add(&text, "/s", &out, &e);
	is_int(rc, want, "row %zu %s", i, e.text);
	is_text(buf_text(&out), rows[i].want ? rows[i].want : "", "the text");
	if (rc == 1) { /* once more */
		buf_release(&text);
		text = out;
		buf_init(&out, STORAGE_CONF_MAX);
		is_int(storage_conf_add(&text, "/s", &out, &e), 0, "it is there");
	}
	buf_release(&text);
	buf_release(&out);
}

static void check_line(void)
{
	struct err e = {""};
	struct buf text, out;

	buf_init(&text, STORAGE_CONF_MAX);
	buf_init(&out, STORAGE_CONF_MAX);
	buf_append_text(&text, "# one\n\nx = {}\n");
	is_int(storage_conf_add(&text, "/s", &out, &e), -ENOTSUP, "refused");
	is_text(e.text, "line 3 is not in a form that is safe to change", "the line");
	buf_clear(&text);
	is_int(storage_conf_add(&text, "/a \"b\\c\001", &out, &e), 1, "any path");
	is_text(buf_text(&out), T K "[\"/a \\\"b\\\\c\\u0001\"]\n", "is quoted");
	buf_release(&text);
	buf_release(&out);
}

int main(void)
{
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_row(i);
	check_line();
	return test_done();
}
