/* SPDX-License-Identifier: MIT */
/* IDs as containers/storage made them for layers of an image that podman had pulled. */
#include <errno.h>
#include <string.h>

#include "base/digest.h"
#include "fs/imagestore/layer_id.h"
#include "tests/unit/test.h"

static struct digest digest_from(const char *text)
{
	struct digest d = {0};

	digest_parse(text, strlen(text), &d);
	return d;
}

#define LOWEST "01dd5588d48d1f64ce7e9138e1408c72a8185ce9ea1ee71a54165014c5837fed"
#define SECOND "9173b9b364b691781c5de36c63f2c07420bb30e23c91e11c1a39c7ef8eea6588"
#define THIRD  "37d448c84df9475b8157d3b5eec137c4e6880147471498bfb61cc1ff5a4197bd"

static void test_ids(void)
{
	struct digest d = digest_from("sha256:" LOWEST);
	char id[LAYER_ID_MAX], above[LAYER_ID_MAX];

	is_int(layer_id_make(NULL, &d, id), 0, "the lowest layer");
	is_text(id, LOWEST, "has its diff ID");
	d = digest_from("sha256:" SECOND);
	is_int(layer_id_make(id, &d, above), 0, "the next");
	is_text(above, "3c4c495f15d8b36b394d41eb4ecc22af34d20d8becba8e04ff76d1df3ab1ece2",
		"is a digest of what is below it and its diff ID");
	d = digest_from("sha256:" THIRD);
	is_int(layer_id_make(above, &d, id), 0, "and so on");
	is_text(id, "a6eb03ee0089e7bc5fa43e117d63a26a66b5d6f75f678cac6b4d16624035ec94",
		"third");
	d = (struct digest){.alg = DIGEST_SHA512};
	is_int(layer_id_make(NULL, &d, id), -ENOTSUP,
	       "a diff ID that engines do not know");
}

static void test_links(void)
{
	char link[LAYER_LINK_MAX], other[LAYER_LINK_MAX];

	is_int(layer_id_link(LOWEST, link), 0, "a link");
	/* base32(1) of the SHA-256 of the ID. */
	is_text(link, "QYV4ZR4LZWDW3HRKC5ZWDNUV63", "is always the same");
	is_int(layer_id_link(SECOND, other), 0, "another one");
	ok(strcmp(link, other) != 0, "differs");
	ok(strspn(other, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == 26, "in base32");
}

int main(void)
{
	test_ids();
	test_links();
	return test_done();
}
