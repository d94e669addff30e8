/* SPDX-License-Identifier: MIT */
#include "base/json.h"
#include "fs/text/inspect.h"
#include "tests/unit/fs/text/example.h"
#include "tests/unit/test.h"

static struct json *render(const struct image_facts *f)
{
	struct json *j = NULL;
	struct buf out;

	buf_init(&out, 1 << 16);
	is_int(inspect_render(f, &out), 0, "a text");
	is_int(json_parse(buf_text(&out), out.len, &j, NULL), 0, "is JSON");
	buf_release(&out);
	return j;
}

int main(void)
{
	char on_disk[] = "oci:dir:1";
	const struct json *j, *data;
	struct json *all;
	struct example x;
	int64_t n = 0;

	is_int(example_init(&x, EXAMPLE_CONFIG), 0, "an image");
	all = render(&x.facts);
	j = json_item(all, 0);
	is_text(json_string(json_item(json_member(j, "RepoTags"), 0)), "app:1",
		"its tag");
	ok(strncmp(json_string(json_item(json_member(j, "RepoDigests"), 0)),
		   "app@sha256:eeee", 15) == 0,
	   "its digest");
	is_text(json_member_string(j, "Os"), "linux", "of the config");
	is_text(json_member_string(j, "Comment"), "c", "of the newest step");
	ok(json_member(j, "Size") == NULL, "a broken layer has no size");
	data = json_member(json_member(j, "GraphDriver"), "Data");
	is_text(json_member_string(data, "LowerDir"),
		"/mnt/app/layers/2-222222222222:/mnt/app/layers/1-111111111111",
		"layers, the topmost first");
	is_text(json_member_string(data, "MergedDir"), "/mnt/app/rootfs", "rootfs");
	is_int((long)json_count(json_member(json_member(j, "RootFS"), "Layers")), 2,
	       "IDs");
	json_free(all);

	x.layer_facts[1] = x.layer_facts[0];
	x.image.name = on_disk;
	x.facts.path = NULL;
	all = render(&x.facts);
	j = json_item(all, 0);
	ok(json_member_int(j, "Size", &n) && n == 14, "the size of all layers");
	is_int((long)json_count(json_member(j, "RepoTags")), 0, "no repository on disk");
	ok(json_member(j, "GraphDriver") == NULL, "no paths without a mount");
	json_free(all);
	example_release(&x);
	return test_done();
}
