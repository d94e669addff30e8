/* SPDX-License-Identifier: MIT */
/* The list of referrers under a tag gets an entry, and keeps all else. */
#include "registry/remote/referrer_tag.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "tests/unit/test.h"

#define OTHER                                                                                      \
	"{\"digest\":\"sha256:5555555555555555555555555555555555555555555555555555555555555555\"," \
	"\"size\":5,\"odd\":[1,{\"x\":1.50}],\"annotations\":{\"a\":\"b\"}}"

static struct referrer_entry entry = {
	.size = 77,
	.media_type = "m/m",
	.artifact_type = "a/a",
	.key = "k",
	.value = "v",
};

/* White space means nothing. */
static void squeeze(struct buf *b)
{
	size_t i, n = 0;

	for (i = 0; i < b->len; i++) {
		if (b->data[i] != ' ' && b->data[i] != '\n')
			b->data[n++] = b->data[i];
	}
	b->data[n] = '\0';
	b->len = n;
}

static void test_merge(void)
{
	static const char ours[] =
		"{\"mediaType\":\"m/m\",\"digest\":\"sha256:"
		"0100000000000000000000000000000000000000000000000000000000000000\","
		"\"size\":77,\"artifactType\":\"a/a\",\"annotations\":{\"k\":\"v\"}}";
	static const char media[] = "application/vnd.oci.image.index.v1+json";
	char want[2000];
	struct buf out, again;
	struct err e = {""};

	buf_init(&out, 1 << 20);
	buf_init(&again, 1 << 20);
	is_int(referrer_tag_merge(NULL, 0, &entry, &out, &e), 1, "a first list");
	is_int(referrer_tag_merge(out.data, out.len, &entry, &again, &e), 0,
	       "an entry that is there is not added");
	is_int(again.len, 0, "and nothing is written");
	squeeze(&out);
	snprintf(want, sizeof(want),
		 "{\"schemaVersion\":2,\"mediaType\":\"%s\",\"manifests\":[%s]}", media,
		 ours);
	is_text(buf_text(&out), want, "has the entry alone");

	buf_clear(&out);
	snprintf(want, sizeof(want),
		 "{\"manifests\":[%s],\"schemaVersion\":2,\"x\":[null,true]}", OTHER);
	is_int(referrer_tag_merge(want, strlen(want), &entry, &out, &e), 1,
	       "a list of others");
	squeeze(&out);
	snprintf(want, sizeof(want),
		 "{\"manifests\":[%s,%s],\"schemaVersion\":2,\"x\":[null,true]}", OTHER,
		 ours);
	is_text(buf_text(&out), want, "keeps all of it");
	buf_release(&out);
	buf_release(&again);
}

static void test_bad(void)
{
	static const char *const rows[] = {
		"",
		"[]",
		"{}",
		"{\"manifests\":{}}",
		"{\"manifests\":null}",
		"{\"layers\":[]}",
		"{\"manifests\":[],\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\"}",
	};
	struct buf out;
	size_t i;

	buf_init(&out, 1 << 20);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err e = {""};

		is_int(referrer_tag_merge(rows[i], strlen(rows[i]), &entry, &out, &e),
		       -EBADMSG, "no list: %s", rows[i]);
		ok(e.text[0] && out.len == 0, "says: %s", e.text);
	}
	buf_release(&out);
}

static void test_name(void)
{
	struct digest d = {.alg = DIGEST_SHA512, .bytes = {0xab}};
	char tag[REFERRER_TAG_MAX];

	is_text(referrer_tag_name(&d, tag),
		"sha512-ab00000000000000000000000000000000000000000000000000000000000000",
		"a long digest is cut");
}

int main(void)
{
	entry.digest = (struct digest){.alg = DIGEST_SHA256, .bytes = {1}};
	test_merge();
	test_bad();
	test_name();
	return test_done();
}
