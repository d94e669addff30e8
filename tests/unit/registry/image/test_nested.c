/* SPDX-License-Identifier: MIT */
/* Indexes inside indexes: which images they have together, and what ceilings they meet. */
#include "registry/image/nested.h"

#include <errno.h>
#include <stdlib.h>

#include "base/err.h"
#include "registry/image/backend.h"
#include "registry/image/document_kind.h"
#include "registry/image/image.h"
#include "tests/unit/test.h"

/* A backend of documents in memory. */

#define DOCUMENTS_MAX 200

static struct {
	struct digest digest;
	struct buf text;
} documents[DOCUMENTS_MAX];
static size_t n_documents;
static unsigned n_asked;

static int get(struct backend *b, const struct descriptor *d, struct buf *bytes,
	       struct err *e)
{
	size_t i;

	(void)b;
	n_asked++;
	for (i = 0; i < n_documents; i++) {
		if (digest_equal(&documents[i].digest, &d->digest))
			return buf_append(bytes, documents[i].text.data,
					  documents[i].text.len);
	}
	return err_set(e, -ENOENT, "no such document");
}

static const struct backend_ops ops = {.document = get};
static struct backend backend = {.ops = &ops};

/* Entries are built as text, then made an index, which is a document and can be an entry. */

static void add_image(struct buf *entries, unsigned number, const char *arch)
{
	buf_printf(entries,
		   "%s{\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"size\":1,"
		   "\"digest\":\"sha256:%064x\"",
		   entries->len ? "," : "", number);
	if (arch)
		buf_printf(entries,
			   ",\"platform\":{\"os\":\"linux\",\"architecture\":\"%s\"}",
			   arch);
	buf_append_text(entries, "}");
}

static void add_index(struct buf *entries, const struct digest *d, size_t size)
{
	char text[DIGEST_TEXT_MAX];

	buf_printf(entries,
		   "%s{\"mediaType\":\"" MEDIA_OCI_INDEX "\",\"size\":%zu,\"digest\":"
		   "\"%s\"}",
		   entries->len ? "," : "", size, digest_format(d, text));
}

/* Makes an index of @entries, which are emptied: the latest document. */
static void make_index(struct buf *entries)
{
	struct buf *text = &documents[n_documents].text;

	buf_init(text, 4 << 20);
	buf_printf(text, "{\"schemaVersion\":2,\"manifests\":[%s]}", buf_text(entries));
	if (digest_of(DIGEST_SHA256, text->data, text->len,
		      &documents[n_documents].digest) < 0)
		exit(1);
	n_documents++;
	buf_clear(entries);
}

static void add_latest(struct buf *entries)
{
	add_index(entries, &documents[n_documents - 1].digest,
		  documents[n_documents - 1].text.len);
}

static void forget(void)
{
	while (n_documents > 0)
		buf_release(&documents[--n_documents].text);
	n_asked = 0;
}

/* "amd64:1 arm64:2": architecture and number of each image of the latest document. */
static const char *collected(struct err *why)
{
	const struct buf *text = &documents[n_documents - 1].text;
	struct entries index = {0}, images = {0};
	static char out[4096];
	size_t i, len = 0;

	out[0] = '\0';
	is_int(entries_parse(text->data, text->len, &index, NULL), 0, "an index");
	is_int(nested_images(&backend, &index, &images, why), 0, "is collected");
	for (i = 0; i < images.n && i < 100; i++)
		len += (size_t)snprintf(out + len, sizeof(out) - len, "%s%s:%u",
					i ? " " : "", images.list[i].platform.arch,
					images.list[i].digest.bytes[31]);
	entries_release(&index);
	entries_release(&images);
	return out;
}

static void test_nested(void)
{
	struct err why;
	struct buf en;

	buf_init(&en, 1 << 20);
	add_image(&en, 4, "s390x");
	make_index(&en);
	add_image(&en, 2, "arm64");
	add_latest(&en);
	add_image(&en, 5, NULL);
	make_index(&en);
	add_image(&en, 1, "amd64");
	add_latest(&en);
	add_image(&en, 3, "riscv64");
	make_index(&en);
	is_text(collected(&why), "amd64:1 arm64:2 s390x:4 :5 riscv64:3",
		"in the order of the index");
	is_text(why.text, "", "nothing is missing");
	is_int(n_asked, 2, "each index is a request");
	forget();
	buf_release(&en);
}

static void test_attestations(void)
{
	const struct buf *text = &documents[1].text;
	struct entries index = {0}, all = {0};
	struct err why;
	struct buf en;

	buf_init(&en, 1 << 20);
	add_image(&en, 1, "unknown");
	add_image(&en, 2, "arm64");
	buf_append_text(
		&en, ",{\"mediaType\":\"" MEDIA_OCI_MANIFEST
		     "\",\"size\":1,\"digest\":\"sha256:00000000000000000000000000000000"
		     "00000000000000000000000000000003\",\"platform\":{\"os\":\"linux\","
		     "\"architecture\":\"amd64\"},\"annotations\":{"
		     "\"vnd.docker.reference.type\":\"attestation-manifest\"}}");
	make_index(&en);
	add_latest(&en);
	make_index(&en);
	is_text(collected(&why), "arm64:2", "attestations inside are no images");
	is_int(entries_parse_all(text->data, text->len, &index, NULL), 0, "an index");
	is_int(nested_entries(&backend, &index, &all), 0, "all of it");
	is_int(all.n, 4, "has them, and the index inside");
	ok(all.n == 4 && descriptor_annotation(&all.list[2], "vnd.docker.reference.type"),
	   "with their annotations");
	entries_release(&index);
	entries_release(&all);
	forget();
	buf_release(&en);
}

static void test_missing(void)
{
	static const struct digest other = {.alg = DIGEST_SHA256, .bytes = {1}};
	struct err why;
	struct buf en;

	buf_init(&en, 1 << 20);
	buf_append_text(&en, "no entries");
	make_index(&en);
	add_index(&en, &other, 10);
	add_latest(&en);
	add_image(&en, 1, "amd64");
	make_index(&en);
	is_text(collected(&why), "amd64:1", "the others are there");
	ok(strstr(why.text, "sha256:0100") && strstr(why.text, "no such document"), "%s",
	   why.text);
	is_int(n_asked, 2, "the second was asked for");
	is_text(collected(NULL), "amd64:1", "without a sentence");
	forget();
	buf_release(&en);
}

static void test_ceilings(void)
{
	struct err why;
	struct buf en;
	unsigned i;

	buf_init(&en, 1 << 20);
	add_image(&en, 99, "deep");
	for (i = 0; i <= NESTED_LEVELS_MAX + 1; i++) {
		make_index(&en);
		add_image(&en, i, "x");
		add_latest(&en);
	}
	make_index(&en);
	is_text(collected(&why), "x:5 x:4 x:3 x:2 x:1", "the levels");
	ok(strstr(why.text, "inside"), "%s", why.text);
	forget();
	buf_clear(&en);
	for (i = 0; i < NESTED_INDEXES_MAX + 20; i++) {
		struct digest d = {.alg = DIGEST_SHA256, .bytes = {7, (uint8_t)i}};

		add_index(&en, &d, 10);
	}
	add_image(&en, 1, "amd64");
	make_index(&en);
	is_text(collected(&why), "amd64:1", "many indexes");
	is_int(n_asked, NESTED_INDEXES_MAX, "are not all asked for");
	forget();
	buf_release(&en);
}

static void test_too_many(void)
{
	struct entries index = {0}, images = {0};
	struct err why;
	struct buf en;
	unsigned i;

	buf_init(&en, 4 << 20);
	for (i = 0; i < IMAGE_INDEX_MAX / 2 + 1; i++)
		add_image(&en, i, "x");
	make_index(&en);
	add_latest(&en);
	add_latest(&en);
	make_index(&en);
	is_int(entries_parse(documents[1].text.data, documents[1].text.len, &index, NULL),
	       0, "an index");
	is_int(nested_images(&backend, &index, &images, &why), 0, "of very many");
	is_int(images.n, IMAGE_INDEX_MAX, "is collected up to the ceiling");
	ok(strstr(why.text, "too many"), "%s", why.text);
	entries_release(&index);
	entries_release(&images);
	forget();
	buf_release(&en);
}

/* What is given to an image: with a platform, without itself, without duplicates. */
static void test_give(void)
{
	struct image *img = calloc(1, sizeof(*img));
	struct entries index = {0};
	struct buf en;

	if (!img)
		exit(1);
	buf_init(&en, 1 << 20);
	add_image(&en, 1, "amd64");
	add_image(&en, 2, "arm64");
	add_image(&en, 3, NULL);
	add_image(&en, 2, "arm64");
	add_image(&en, 2, "arm");
	make_index(&en);
	is_int(entries_parse(documents[0].text.data, documents[0].text.len, &index, NULL),
	       0, "an index");
	img->manifest_descriptor.digest = index.list[0].digest;
	ok(nested_has(&index, &img->manifest_descriptor.digest), "has the image");
	is_int(nested_give_platforms(&index, img), 0, "gives the others");
	is_int(img->n_platforms, 2, "each once");
	is_text(img->platforms[0].platform.arch, "arm64", "in order");
	is_text(img->platforms[1].platform.arch, "arm", "under each of its names");
	img->manifest_descriptor.digest.bytes[0] = 1;
	ok(!nested_has(&index, &img->manifest_descriptor.digest), "has no other");
	entries_release(&index);
	image_free(img);
	forget();
	buf_release(&en);
}

int main(void)
{
	test_nested();
	test_attestations();
	test_missing();
	test_ceilings();
	test_too_many();
	test_give();
	return test_done();
}
