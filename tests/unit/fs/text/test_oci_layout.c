/* SPDX-License-Identifier: MIT */
#include "base/json.h"
#include "fs/text/oci_layout.h"
#include "tests/unit/fs/text/example.h"
#include "tests/unit/test.h"

/* The tag of manifest @i of index.json, in a buffer that the next call uses again. */
static const char *get_tag(const struct image_facts *f, size_t i)
{
	static char tag[64];
	struct json *j = NULL;
	const char *text;
	struct buf out;

	buf_init(&out, 1 << 16);
	is_int(oci_layout_index(f, &out), 0, "an index");
	is_int(json_parse(buf_text(&out), out.len, &j, NULL), 0, "is JSON");
	text = json_member_string(
		json_member(json_item(json_member(j, "manifests"), i), "annotations"),
		"org.opencontainers.image.ref.name");
	snprintf(tag, sizeof(tag), "%s", text ? text : "none");
	json_free(j);
	buf_release(&out);
	return tag;
}

int main(void)
{
	static const struct {
		char name[48];
		const char *tag;
	} table[] = {
		{"docker.io/library/app:1", "1"},
		{"localhost:5000/app", "latest"},
		{"localhost:5000/app:2@sha256:00", "2"},
		{"app@sha256:00", "latest"},
		{"oci:dir", "latest"},
		{"oci:dir:t", "t"},
		{"dir:x", "latest"},
		{"docker-archive:file:app:3", "3"},
		{"docker-archive:file:@0", "latest"},
	};
	struct example x;
	char name[48];
	size_t i;

	is_int(example_init(&x, EXAMPLE_CONFIG), 0, "an image");
	x.image.name = name;
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		strcpy(name, table[i].name);
		is_text(get_tag(&x.facts, 0), table[i].tag, "%s", name);
	}
	strcpy(name, "app:1");
	is_text(get_tag(&x.facts, 1), "none", "one manifest");
	x.facts.has_index_blobs = true;
	x.image.index_descriptor.media_type = x.layers[0].media_type;
	is_text(get_tag(&x.facts, 0), "1", "the index has the tag");
	is_text(get_tag(&x.facts, 1), "1-linux-amd64", "the image one of its own");

	ok(oci_layout_uses(&x.image, false, DIGEST_SHA256), "its digests");
	ok(!oci_layout_uses(&x.image, false, DIGEST_SHA512), "and no others");
	x.image.index_descriptor.digest.alg = DIGEST_SHA512;
	ok(!oci_layout_uses(&x.image, false, DIGEST_SHA512), "without the index");
	ok(oci_layout_uses(&x.image, true, DIGEST_SHA512), "but with it");
	example_release(&x);
	return test_done();
}
