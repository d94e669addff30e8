/* SPDX-License-Identifier: MIT */
#include "fs/ctl/words.h"

#include <errno.h>

#include "base/err.h"
#include "fs/options/options.h"
#include "tests/unit/test.h"

static bool is_long;
static const char *layer;

static const struct word_flag flags[] = {
	{.letter = 'l', .name = "long", .on = &is_long},
	{.letter = 'n', .name = "layer", .value = &layer},
	{.letter = 0},
};

struct row {
	const char *words[8];
	const char *
		seen; /* operands; flags and the layer; or "" and a piece of the sentence */
	const char *about;
};

static const struct row rows[] = {
	{{NULL}, "; 0", NULL},
	{{"img", "a", "b"}, "img a b ; 0", NULL},
	{{"-l", "img"}, "img ; l 0", NULL},
	{{"img", "-lv", "a"}, "img a ; l v 0", NULL},
	{{"--long", "-o", "offline", "img", "-oinsecure"}, "img ; l 2", NULL},
	{{"img", "--layer", "3"}, "img ; 3 0", NULL},
	{{"img", "--layer=3", "-n4"}, "img ; 4 0", NULL},
	{{"-ln", "5", "img"}, "img ; l 5 0", NULL},
	{{"-ln=6", "img"}, "img ; l 6 0", NULL},
	{{"-n", "=7", "img"}, "img ; =7 0", NULL},
	{{"img", "--", "-l", "--layer"}, "img -l --layer ; 0", NULL},
	{{"img", "-"}, "img - ; 0", NULL},
	{{"-vo", "offline", "img"}, "img ; v 1", NULL},
	{{"-x", "img"}, "", "-x"},
	{{"-lx", "img"}, "", "-x"},
	{{"--lo", "img"}, "", "--lo"},
	{{"--longer", "img"}, "", "--longer"},
	{{"--long=1", "img"}, "", "takes no value"},
	{{"img", "--layer"}, "", "--layer needs a value"},
	{{"img", "-n"}, "", "-n needs a value"},
	{{"img", "-o"}, "", "-o needs a value"},
};

static void check_row(const struct row *row)
{
	char *words[9] = {NULL}, seen[128] = "";
	struct err e = {""};
	struct words w;
	size_t i, n = 0;
	int rc;

	is_long = false;
	layer = NULL;
	for (i = 0; row->words[i]; i++)
		words[i] = (char *)row->words[i];
	rc = words_parse(&w, words, flags, &e);
	for (i = 0; rc == 0 && w.operands[i]; i++)
		n += (size_t)sprintf(seen + n, "%s ", w.operands[i]);
	if (rc == 0) {
		ok(w.n_operands == i, "operands are counted");
		sprintf(seen + n, "; %s%s%s%s%zu", is_long ? "l " : "",
			w.verbose ? "v " : "", layer ? layer : "", layer ? " " : "",
			w.n_lists);
	}
	is_int(rc, row->about ? -EINVAL : 0, "%s",
	       row->words[0] ? row->words[0] : "none");
	is_text(seen, row->seen, "its parts");
	ok(!row->about || strstr(e.text, row->about), "sentence: %s", e.text);
	words_release(&w);
}

static void check_options(void)
{
	char *words[] = {(char *)"-o",	    (char *)"offline,layout=rootfs",
			 (char *)"-ouid=5", (char *)"img",
			 (char *)"-v",	    NULL};
	char *bad[] = {(char *)"-oofline", (char *)"img", NULL};
	struct options o;
	struct err e = {""};
	struct words w;

	is_int(words_parse(&w, words, flags, &e), 0, "parsed");
	is_int(words_options(&w, "-strange", &o, &e), 0, "options %s", e.text);
	is_text(o.source, "-strange", "the source");
	ok(o.client.offline && o.uid == 5 && o.verbose, "all lists and -v");
	is_int(o.layout, LAYOUT_IMAGE, "the layout is of no mount");
	options_release(&o);
	is_int(words_options(&w, "", &o, &e), -EINVAL, "an empty source");
	options_release(&o);
	words_release(&w);
	is_int(words_parse(&w, bad, flags, &e), 0, "parsed");
	is_int(words_options(&w, "img", &o, &e), -EINVAL, "%s", e.text);
	ok(strstr(e.text, "offline") != NULL, "says what was meant");
	options_release(&o);
	words_release(&w);
}

static void parses_a_command(void)
{
	struct word_list all = {NULL, 0};
	const struct word_flag more[] = {
		{.letter = 'e', .name = "env", .all = &all},
		{.letter = 'l', .on = &is_long},
		{.letter = 0},
	};
	char words[][8] = {"-e", "1",	"--env=2", "-e3", "--env",
			   "4",	 "img", "-l",	   "-e",  "--"};
	char *list[11] = {NULL};
	struct err e = {""};
	struct words w;
	size_t i;

	for (i = 0; i < 10; i++)
		list[i] = words[i];
	is_long = false;
	is_int(words_parse_command(&w, list, more, &e), 0, "a command");
	is_int(w.n_operands, 4, "the first operand ends the flags");
	is_text(w.operands[3], "--", "all behind it are operands");
	ok(!is_long, "no flag is read there");
	is_int(all.n, 4, "all values");
	for (i = 0; i < all.n; i++)
		is_int(all.items[i][0] - '0', i + 1, "value %zu", i);
	ok(all.items && !all.items[4], "and their end");
	words_release(&w);
	free(all.items);
}

int main(void)
{
	parses_a_command();
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_row(&rows[i]);
	check_options();
	return test_done();
}
