/* SPDX-License-Identifier: MIT */
/* Notes of images: what is written is read back, and nothing else is taken for one. */
#include "fs/image/image_note.h"

#include "base/store/documents.h"
#include "registry/image/image.h"
#include "tests/unit/base/store/stores.h"

static unsigned n_seen;
static char seen[5000];

static int see(void *arg, const char *text)
{
	struct digest manifest;
	const char *name;

	if (image_note_parse(text, &manifest, &name)) {
		n_seen++;
		snprintf(seen, sizeof(seen), "%s", name);
		ok(digest_equal(&manifest, arg), "the digest");
	}
	return 0;
}

static void test_put(void)
{
	static char long_name[6000];
	struct image img = {.name = (char *)"oci:/some where:tag"};
	struct store *s = open_store("notes");
	struct digest d;
	struct buf b;

	buf_init(&img.manifest, 100);
	if (buf_append_text(&img.manifest, "{}") < 0)
		exit(77);
	d = img.manifest_descriptor.digest = digest_text("{}");
	if (store_put_note(s, "tag x", "something else") < 0)
		exit(77);
	image_note_put(s, &img);
	image_note_put(s, &img);
	is_int(store_each_note(s, see, &d), 0, "all notes");
	is_int(n_seen, 1, "one is of an image");
	is_text(seen, img.name, "its name");
	buf_init(&b, 100);
	is_int(store_get_document(s, &d, 100, &b), 0, "its manifest is there");
	buf_release(&b);

	memset(long_name, 'x', sizeof(long_name) - 1);
	img.name = long_name;
	image_note_put(s, &img);
	n_seen = 0;
	is_int(store_each_note(s, see, &d), 0, "after one with a very long name");
	is_int(n_seen, 1, "there is no other");
	buf_release(&img.manifest);
	store_close(s);
}

static void test_parse(void)
{
	static const char *const bad[] = {"",
					  "image",
					  "image ",
					  "image sha256:12 x",
					  "imagesha256 x",
					  "tag sha256:12",
					  NULL};
	struct digest d;
	const char *name;
	size_t i;

	for (i = 0; bad[i]; i++)
		ok(!image_note_parse(bad[i], &d, &name), "\"%s\" is none", bad[i]);
}

int main(void)
{
	place_make();
	test_put();
	test_parse();
	return test_done();
}
