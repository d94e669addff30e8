/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/digest.h"
#include "tests/unit/test.h"

#define EMPTY256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ABC256	 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define ABC384                                                                             \
	"cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc23" \
	"58baeca134c825a7"
#define ABC512                                                                             \
	"ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a8" \
	"36ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"

static void test_parse(void)
{
	static const struct {
		const char *text;
		int rc;
	} rows[] = {
		{"sha256:" EMPTY256, 0},
		{"sha384:" ABC384, 0},
		{"sha512:" ABC512, 0},
		{"sha256:" EMPTY256 "0", -EBADMSG},
		{"sha512:" EMPTY256, -EBADMSG},
		{"sha256:E3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		 -EBADMSG},
		{"sha256:g3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		 -EBADMSG},
		{"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b8/5",
		 -EBADMSG},
		{"sha256:", -EBADMSG},
		{"sha256", -EBADMSG},
		{"", -EBADMSG},
		{":", -EBADMSG},
		{":" EMPTY256, -EBADMSG},
		{"md5:d41d8cd98f00b204e9800998ecf8427e", -ENOTSUP},
		{"SHA256:" EMPTY256, -ENOTSUP},
		{"sha25:" EMPTY256, -ENOTSUP},
		{"sha2566:" EMPTY256, -ENOTSUP},
		{" sha256:" EMPTY256, -ENOTSUP},
	};
	char text[DIGEST_TEXT_MAX];
	struct digest d, same;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = strlen(rows[i].text);

		memset(&d, 0xa5, sizeof(d));
		same = d;
		is_int(digest_parse(rows[i].text, len, &d), rows[i].rc, "parse \"%s\"",
		       rows[i].text);
		if (rows[i].rc == 0)
			is_text(digest_format(&d, text), rows[i].text, "and format");
		else
			ok(memcmp(&same, &d, sizeof(d)) == 0,
			   "a failure leaves the output alone");
	}
	is_int(digest_parse("sha256:" EMPTY256, 7 + 63, &d), -EBADMSG,
	       "no more is read than said");
	is_int(digest_parse("sha256:" EMPTY256, 7 + 64, &d), 0, "parse");
	is_text(digest_hex(&d, text), EMPTY256, "the hex part");
}

static void test_hashes(void)
{
	static const struct {
		enum digest_alg alg;
		const char *text;
	} rows[] = {
		{DIGEST_SHA256, "sha256:" ABC256},
		{DIGEST_SHA384, "sha384:" ABC384},
		{DIGEST_SHA512, "sha512:" ABC512},
	};
	struct digest d, again, peek;
	char text[DIGEST_TEXT_MAX];
	struct hasher *h = NULL;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		is_int(digest_of(rows[i].alg, "abc", 3, &d), 0, "hash");
		is_text(digest_format(&d, text), rows[i].text, "right");
		is_int(strlen(text),
		       strlen(digest_alg_name(rows[i].alg)) + 1 +
			       2 * digest_size(rows[i].alg),
		       "as long as it says");
		if (!ok(hasher_new(rows[i].alg, &h) == 0, "a hasher"))
			return;
		hasher_update(h, "a", 1);
		hasher_update(h, NULL, 0);
		hasher_peek(h, &peek);
		ok(!digest_equal(&peek, &d), "a look on the way");
		hasher_update(h, "bc", 2);
		hasher_peek(h, &peek);
		hasher_finish(h, &again);
		ok(digest_equal(&again, &d) && digest_equal(&peek, &d), "piece by piece");
		hasher_update(h, "abc", 3);
		hasher_finish(h, &again);
		ok(digest_equal(&again, &d), "and again");
		hasher_free(h);
	}
	hasher_free(NULL);
	is_int(digest_of(DIGEST_SHA256, NULL, 0, &d), 0, "nothing has a digest");
	is_text(digest_format(&d, text), "sha256:" EMPTY256, "which is known");
}

static void test_equal(void)
{
	struct digest none = {0}, a, b;

	digest_of(DIGEST_SHA256, "a", 1, &a);
	digest_of(DIGEST_SHA256, "b", 1, &b);
	ok(!digest_equal(&none, &none), "none equals nothing");
	ok(digest_equal(&a, &a), "one equals itself");
	ok(!digest_equal(&a, &b), "and no other");
	b = a;
	b.alg = DIGEST_SHA512;
	ok(!digest_equal(&a, &b), "nor the same bytes of another kind");
}

int main(void)
{
	test_parse();
	test_hashes();
	test_equal();
	return test_done();
}
