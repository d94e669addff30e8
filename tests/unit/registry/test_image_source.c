/* SPDX-License-Identifier: MIT */
/* A repository and a host as a client sees them, on a registry that is scripted. */
#include <errno.h>

#include "tests/unit/scripted_registry.h"

static void test_tag_digest(void)
{
	static const struct {
		const char *name;
		int head_status;
		bool no_digest;
		int status, rc;
		unsigned asked;
		const char *what;
	} rows[] = {
		{"a:t", 0, false, 0, 0, 1, "by HEAD"},
		{"a:t", 0, true, 0, 0, 2, "HEAD that tells no digest"},
		{"a:t", 405, false, 0, 0, 2, "HEAD refused"},
		{"a:t", 501, true, 0, 0, 2, "HEAD unknown"},
		{"a:u", 0, false, 0, -ENOENT, 2, "no such tag"},
		{"a:t", 0, false, 403, -EACCES, 2, "refused"},
	};
	struct digest want, got;
	struct client *c = client_start();
	struct image_source *o;
	char name[200];
	size_t i;

	if (digest_parse(digests[4], strlen(digests[4]), &want) < 0)
		exit(1);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err e = {""};

		memset(&how, 0, sizeof(how));
		how.head_status = rows[i].head_status;
		how.no_digest = rows[i].no_digest;
		how.status = rows[i].status;
		o = start(c, rows[i].name);
		n_asked = 0;
		is_int(image_source_tag_digest(o, &got, &e), rows[i].rc, "%s %s",
		       rows[i].what, e.text);
		if (rows[i].rc == 0)
			ok(digest_equal(&got, &want), "the digest");
		is_int(n_asked, rows[i].asked, "requests");
		image_source_close(o);
	}
	memset(&how, 0, sizeof(how));
	snprintf(name, sizeof(name), "a:t@%s", digests[4]);
	o = start(c, name);
	n_asked = 0;
	is_int(image_source_tag_digest(o, &got, NULL), 0, "of a digest");
	ok(digest_equal(&got, &want) && n_asked == 0, "nothing is asked");
	image_source_close(o);
	client_free(c);
}

static void test_entries(void)
{
	struct platform amd = {.os = "linux", .arch = "amd64"};
	struct image *img = NULL, *other = NULL, *again = NULL;
	struct client *c = client_start();
	struct image_source *o = start(c, "a:t");
	struct err e = {""};

	memset(&how, 0, sizeof(how));
	is_int(image_source_resolve(o, &amd, &img, &e), 0, "the image %s", e.text);
	if (!img)
		exit(1);
	is_int(img->n_platforms, 1, "there is another");
	is_int(image_source_resolve_entry(o, &img->platforms[0], &other, &e), 0,
	       "which is had %s", e.text);
	is_text(other ? other->platform.arch : "", "arm64", "and is the other");
	if (other && is_int(other->n_platforms, 1, "with the first beside it"))
		is_int(image_source_resolve_entry(o, &other->platforms[0], &again, &e), 0,
		       "and back %s", e.text);
	is_text(again ? again->platform.arch : "", "amd64", "to the first");
	is_int(n_indexes, 1, "the index is asked once");
	ok(again && other && other->has_index && again->index.len == img->index.len,
	   "and is part of each");
	image_free(img);
	image_free(other);
	image_free(again);
	image_source_close(o);
	client_free(c);
}

static void test_entry_alone(void)
{
	struct platform arm = {.os = "linux", .arch = "arm64"};
	struct image *img = NULL, *again = NULL;
	struct client *c = client_start();
	struct err e = {""};
	struct image_source *o;
	char name[200];

	snprintf(name, sizeof(name), "a@%s", digests[3]);
	o = start(c, name);
	is_int(image_source_resolve(o, &arm, &img, &e), 0, "an image without an index %s",
	       e.text);
	if (!img)
		exit(1);
	is_int(image_source_resolve_entry(o, &img->manifest_descriptor, &again, &e), 0,
	       "is had again");
	ok(again && !again->has_index, "and has none");
	image_free(again);
	again = NULL;
	if (digest_parse(digests[2], strlen(digests[2]),
			 &img->manifest_descriptor.digest) < 0)
		exit(1);
	is_int(image_source_resolve_entry(o, &img->manifest_descriptor, &again, &e), 0,
	       "another of the repository %s", e.text);
	is_text(again ? again->platform.arch : "", "amd64", "is that");
	img->manifest_descriptor.digest.bytes[0] ^= 1;
	is_int(image_source_resolve_entry(o, &img->manifest_descriptor, &again, &e),
	       -ENOENT, "one that is not there");
	image_free(img);
	image_free(again);
	image_source_close(o);
	client_free(c);
}

static void test_sharing(void)
{
	struct client *c = client_start();
	struct image_source *one, *two;
	struct digest d;
	unsigned i;

	memset(&how, 0, sizeof(how));
	how.tokens = true;
	one = start(c, "a:t");
	is_int(image_source_tag_digest(one, &d, NULL), 0, "one");
	two = start(c, "a:t");
	is_int(image_source_tag_digest(two, &d, NULL), 0, "two of one repository");
	image_source_close(one);
	image_source_close(two);
	is_int(n_tokens, 1, "need one token");
	n_asked = 0;
	two = start(c, "a:t");
	is_int(image_source_tag_digest(two, &d, NULL), 0, "and who comes later");
	is_int(n_asked, 1, "asks no more than that");
	image_source_close(two);
	n_asked = 0;
	two = start(c, "another:t");
	is_int(image_source_tag_digest(two, &d, NULL), 0, "another repository");
	is_int(n_asked, 2, "is supposed to want the like");
	image_source_close(two);
	how.no_tokens = true;
	n_asked = 0;
	two = start(c, "public:t");
	is_int(image_source_tag_digest(two, &d, NULL), 0, "one for which there are none");
	is_int(n_asked, 2, "is asked then");
	image_source_close(two);
	how.no_tokens = false;
	n_tokens = 1;
	for (i = 0; i < 200; i++) {
		char name[20];

		snprintf(name, sizeof(name), "b%u:t", i);
		one = start(c, name);
		is_int(image_source_tag_digest(one, &d, NULL), 0,
		       "others have their own");
		image_source_close(one);
	}
	is_int(n_tokens, 201, "a token for each");
	client_free(c);
}

static void test_probe(void)
{
	static const struct {
		int status, rc;
	} rows[] = {
		{0, 0}, {404, -ENOENT}, {401, -EACCES}, {403, -EACCES}, {410, -ENOENT}};
	struct client *c = client_start();
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct image_source *o = start(c, "a");
		struct err e = {""};

		memset(&how, 0, sizeof(how));
		how.status = rows[i].status;
		is_int(image_source_probe(o, &e), rows[i].rc, "%d: %s", rows[i].status,
		       e.text);
		image_source_close(o);
	}
	client_free(c);
}

/* What is no source is told in a sentence that says what is one. */
static void test_other_forms(void)
{
	static const struct {
		const char *source;
		int rc;
		const char *word;
	} rows[] = {
		{"oci:", -EINVAL, "path"},
		{"docker-archive:", -EINVAL, "path"},
		{"docker-daemon:a", -ENOTSUP, "docker-daemon:"},
		{"containers-storage:a", -ENOTSUP, "containers-storage:"},
		{"http://localhost:5000/a", -EINVAL, "without http://"},
		{"https://example.org/a", -EINVAL, "without https://"},
		{"/var/lib/image", -EINVAL, "oci:DIR"},
		{"./image.tar", -EINVAL, "oci-archive:FILE"},
		{"../image", -EINVAL, "oci:DIR"},
		{"oci:/nonexistent", -ENOENT, "oci:/nonexistent: "},
		{"oci:/nonexistent:tag", -ENOENT, "oci:/nonexistent: "},
		{"oci-archive:nope", -ENOENT, "oci-archive:nope: "},
		{"docker-archive:nope:a:b", -ENOENT, "docker-archive:nope: "},
		{"dir:nope", -ENOENT, "dir:nope: "},
	};
	struct client *c = client_start();
	struct image_source *o = NULL;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err e = {""};

		is_int(image_source_open(rows[i].source, c, &o, &e), rows[i].rc, "%s",
		       e.text);
		ok(strstr(e.text, rows[i].word) != NULL, "says \"%s\"", rows[i].word);
	}
	client_free(c);
}

int main(void)
{
	registry_start();
	test_other_forms();
	test_tag_digest();
	test_entries();
	test_entry_alone();
	test_sharing();
	test_probe();
	web_stop(&web);
	return test_done();
}
