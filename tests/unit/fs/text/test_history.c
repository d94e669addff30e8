/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "tests/unit/fs/text/example.h"
#include "tests/unit/test.h"

/* Line @i of a text, from 0, in a buffer that the next call uses again. */
static const char *get_line(const char *text, int i)
{
	static char line[512];

	while (i-- > 0)
		text += strcspn(text, "\n") + 1;
	snprintf(line, sizeof(line), "%.*s", (int)strcspn(text, "\n"), text);
	return line;
}

static void check_table(void)
{
	struct example x;
	struct buf out;
	const char *row;

	buf_init(&out, 1 << 16);
	is_int(example_init(&x, EXAMPLE_CONFIG), 0, "a history");
	is_int((long)x.history.n, 3, "has its steps");
	ok(history_of_layer(&x.history, 1) == &x.history.steps[2],
	   "a layer has its step");
	ok(history_of_layer(&x.history, 2) == NULL, "one that is not there has none");
	is_int(history_render(&x.facts, &out), 0, "a table");
	ok(strncmp(get_line(buf_text(&out), 0), "IMAGE  ", 7) == 0, "has a heading");
	row = get_line(buf_text(&out), 1);
	ok(strncmp(row, "sha256:cccc", 11) == 0, "the newest step bears the image");
	ok(strstr(row, "RUN make    ") && strstr(row, " ?  "),
	   "on one line, size unknown");
	ok(strstr(row, "2-222222222222") != NULL, "and its layer");
	row = get_line(buf_text(&out), 2);
	ok(strncmp(row, "<missing>", 9) == 0 && strstr(row, " 0  "), "others are empty");
	row = get_line(buf_text(&out), 3);
	ok(strstr(row, " 7  ") && strstr(row, "1-111111111111"), "or have files");
	buf_release(&out);
	example_release(&x);
}

int main(void)
{
	struct example x;

	check_table();

	is_int(example_init(&x, "{}"), 0, "no history");
	is_int((long)x.history.n, 2, "has a step for each layer");
	ok(x.history.steps[1].layer == 1 && !x.history.steps[1].json,
	   "of the same number");
	example_release(&x);

	is_int(example_init(&x, "{\"history\": [{\"created_by\": \"x\"}]}"), 0,
	       "too few");
	ok(x.history.n == 1 && x.history.steps[0].layer == NO_LAYER, "have no layers");
	example_release(&x);

	is_int(example_init(&x, "{"), -EBADMSG, "not JSON");
	example_release(&x);
	return test_done();
}
