/* SPDX-License-Identifier: MIT */
#include "base/json.h"
#include "fs/text/layer_json.h"
#include "tests/unit/fs/text/example.h"
#include "tests/unit/test.h"

static struct json *render(const struct image_facts *f, uint32_t i)
{
	struct json *j = NULL;
	struct buf out;

	buf_init(&out, 1 << 16);
	is_int(layer_json_render(f, i, &out), 0, "a layer's text");
	is_int(json_parse(buf_text(&out), out.len, &j, NULL), 0, "is JSON");
	buf_release(&out);
	return j;
}

static long get_number(const struct json *j, const char *key)
{
	int64_t n = -1;

	json_member_int(j, key, &n);
	return (long)n;
}

int main(void)
{
	struct example x;
	struct json *j;

	is_int(example_init(&x, EXAMPLE_CONFIG), 0, "an image");
	j = render(&x.facts, 0);
	is_int(get_number(j, "number"), 1, "counted from 1");
	is_int(get_number(json_member(j, "descriptor"), "size"), 100, "descriptor");
	is_int(get_number(j, "entries"), 3, "entries");
	is_int(get_number(j, "skippedEntries"), 1, "those not shown");
	is_int(get_number(j, "uncompressedSize"), 2048, "the tar");
	is_int(get_number(j, "filesSize"), 7, "the files");
	is_text(json_member_string(json_member(j, "history"), "created"), "T1",
		"its step");
	ok(json_member(j, "error") == NULL, "no error");
	json_free(j);

	j = render(&x.facts, 1);
	is_text(json_member_string(j, "error"), "out of luck", "a broken layer says why");
	ok(json_member(j, "entries") == NULL, "and nothing of its contents");
	ok(strncmp(json_member_string(j, "diffID"), "sha256:a2a2", 11) == 0, "diff ID");
	json_free(j);
	example_release(&x);
	return test_done();
}
