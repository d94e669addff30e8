/* SPDX-License-Identifier: MIT */
#include "fs/run/image_config.h"

#include <errno.h>

#include "base/err.h"
#include "tests/unit/test.h"

static int parse(struct image_config *c, const char *text)
{
	struct err e;

	return image_config_parse(c, text, strlen(text), &e);
}

static void parses(void)
{
	struct image_config c;

	is_int(parse(&c,
		     "{\"os\":\"linux\",\"architecture\":\"arm64\",\"config\":{"
		     "\"Env\":[\"A=1\",5,\"B=2\"],\"Entrypoint\":[\"/e\"],\"Cmd\":[\"a\",\"b\"],"
		     "\"WorkingDir\":\"/w\",\"User\":\"u:g\"}}"),
	       0, "a config");
	is_int(c.env.n, 2, "what is no text is left out");
	is_text(c.env.items[1], "B=2", "the environment");
	ok(c.env.items[2] == NULL, "its end");
	is_text(c.entrypoint.items[0], "/e", "the entrypoint");
	is_int(c.cmd.n, 2, "the command");
	is_text(c.workdir, "/w", "the directory");
	is_text(c.user, "u:g", "the user");
	is_text(c.platform, "linux/arm64", "the platform");
	image_config_release(&c);
}

static void parses_less(void)
{
	static const char *const texts[] = {
		"{}",
		"{\"config\":null}",
		"{\"config\":[]}",
		"{\"config\":{\"Env\":{},\"Cmd\":null,\"User\":\"\",\"WorkingDir\":5}}",
	};
	struct image_config c;
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		is_int(parse(&c, texts[i]), 0, "%s", texts[i]);
		ok(!c.user && !c.workdir && !c.env.items && !c.cmd.items,
		   "nothing is given");
		is_text(c.platform, "linux/unknown", "but the platform");
		image_config_release(&c);
	}
	is_int(parse(&c, "{\"config\":{\"Cmd\":\"word\"}}"), 0, "a text for a list");
	is_text(c.cmd.items[0], "word", "is one word");
	image_config_release(&c);
}

static void refuses(void)
{
	struct image_config c;

	is_int(parse(&c, "[]"), -EBADMSG, "no object");
	image_config_release(&c);
	is_int(parse(&c, "{"), -EBADMSG, "no JSON");
	image_config_release(&c);
}

int main(void)
{
	parses();
	parses_less();
	refuses();
	return test_done();
}
