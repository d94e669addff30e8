/* SPDX-License-Identifier: MIT */
#include "fs/run/environment.h"

#include "tests/unit/place.h"
#include "tests/unit/test.h"

static char *none[] = {NULL};

static void joins_words(void)
{
	char *mine[] = {(char *)"mine", NULL};
	struct run_spec s = {.words = none};
	struct image_config c = {.platform = NULL};
	struct strings out = {NULL, 0};

	is_int(environment_words(&s, &c, &out), 0, "an image without a command");
	is_int(out.n, 0, "has none");
	strings_add(&c.entrypoint, "/e");
	strings_add(&c.cmd, "cmd");
	environment_words(&s, &c, &out);
	is_int(out.n, 2, "entrypoint and command");
	is_text(out.items[0], "/e", "in this order");
	is_text(out.items[1], "cmd", "the image's");
	strings_release(&out);
	s.words = mine;
	environment_words(&s, &c, &out);
	is_int(out.n, 2, "the same with a command given");
	is_text(out.items[1], "mine", "which replaces the image's");
	strings_release(&out);
	image_config_release(&c);
}

static void sets_variables(void)
{
	static const char *const mine[] = {"B=mine", "OUTSIDE", "MISSING",
					   "=x",     "E=",	NULL};
	struct run_spec s = {.words = none, .env = mine};
	struct image_config c = {.platform = NULL};
	struct strings out = {NULL, 0};

	place_env("OUTSIDE", "o=p");
	place_env("TERM", "vt100");
	place_env("MISSING", NULL);
	strings_add(&c.env, "A=1");
	strings_add(&c.env, "B=2");
	strings_add(&c.env, "HOME=/image");
	strings_add(&c.env, "nothing");
	is_int(environment_make(&s, &c, "/home", &out), 0, "an environment");
	is_text(environment_get(&out, "A"), "1", "the image's");
	is_text(environment_get(&out, "B"), "mine", "is replaced");
	is_text(environment_get(&out, "OUTSIDE"), "o=p", "from outside");
	is_text(environment_get(&out, "E"), "", "empty");
	is_text(environment_get(&out, "HOME"), "/image", "the image's own home");
	is_text(environment_get(&out, "container"), "peelfs", "as engines do");
	ok(strstr(environment_get(&out, "PATH"), "/usr/bin:"), "a path");
	ok(!environment_get(&out, "MISSING"), "what is not there outside");
	ok(!environment_get(&out, "TERM"), "no terminal");
	is_int(out.n, 7, "and no more");
	strings_release(&out);
	s.has_terminal = true;
	s.env = NULL;
	c.env.n = 0;
	environment_make(&s, &c, "/home", &out);
	is_text(environment_get(&out, "TERM"), "vt100", "a terminal");
	is_text(environment_get(&out, "HOME"), "/home", "the user's home");
	strings_release(&out);
	c.env.n = 4;
	image_config_release(&c);
}

int main(void)
{
	place_make();
	joins_words();
	sets_variables();
	return test_done();
}
