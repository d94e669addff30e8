/* SPDX-License-Identifier: MIT */
#include "base/public_key.h"

#include <errno.h>

#include "base/err.h"
#include "tests/unit/signer.h"

static const char text[] = "some text that is signed";

static void test_verify(const char *kind, const EVP_MD *md)
{
	struct signer one, two;
	struct public_key *k = NULL, *other = NULL;
	struct buf sig;

	buf_init(&sig, 4096);
	signer_make(&one, kind);
	signer_make(&two, kind);
	signer_sign(&one, md, text, sizeof(text), &sig);
	is_int(public_key_parse(one.pem.data, one.pem.len, &k, NULL), 0, "%s", kind);
	is_int(public_key_parse(two.pem.data, two.pem.len, &other, NULL), 0, "another");
	ok(public_key_verifies(k, text, sizeof(text), sig.data, sig.len), "it verifies");
	ok(!public_key_verifies(other, text, sizeof(text), sig.data, sig.len),
	   "another key does not");
	ok(!public_key_verifies(k, text, sizeof(text) - 1, sig.data, sig.len),
	   "cut text");
	ok(!public_key_verifies(k, text, sizeof(text), sig.data, sig.len - 1),
	   "cut signature");
	ok(!public_key_verifies(k, text, sizeof(text), sig.data, 0), "no signature");
	ok(!public_key_verifies(k, text, 0, NULL, 0), "nothing at all");
	sig.data[sig.len / 2] ^= 1;
	ok(!public_key_verifies(k, text, sizeof(text), sig.data, sig.len), "one bit");
	public_key_free(k);
	public_key_free(other);
	signer_release(&one);
	signer_release(&two);
	buf_release(&sig);
}

static void test_hash_is_of_the_curve(void)
{
	struct signer s;
	struct public_key *k = NULL;
	struct buf sig;

	buf_init(&sig, 4096);
	signer_make(&s, "P-256");
	signer_sign(&s, EVP_sha512(), text, sizeof(text), &sig);
	is_int(public_key_parse(s.pem.data, s.pem.len, &k, NULL), 0, "P-256");
	ok(!public_key_verifies(k, text, sizeof(text), sig.data, sig.len),
	   "SHA-512 is not for P-256");
	public_key_free(k);
	signer_release(&s);
	buf_release(&sig);
}

static void test_refused(void)
{
	static const struct {
		const char *kind;
		int rc;
	} kinds[] = {
		{"RSA1024", -ENOTSUP},
		{"ED448", -ENOTSUP},
		{"X25519", -ENOTSUP},
		{"Psecp256k1", -ENOTSUP},
	};
	static const char *const texts[] = {
		"",
		"x",
		"-----BEGIN PUBLIC KEY-----\n",
		"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
		"-----BEGIN PUBLIC KEY-----\nProc-Type: 4,ENCRYPTED\n"
		"DEK-Info: AES-128-CBC,00000000000000000000000000000000\n\n"
		"AAAAAAAAAAAAAAAAAAAAAA==\n-----END PUBLIC KEY-----\n",
	};
	static char large[PUBLIC_KEY_TEXT_MAX + 1];
	struct public_key *k = NULL;
	struct signer s;
	struct err e = {""};
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (kinds[i].kind[1] == 's')
			signer_take(&s, EVP_EC_gen(kinds[i].kind + 1));
		else
			signer_make(&s, kinds[i].kind);
		is_int(public_key_parse(s.pem.data, s.pem.len, &k, &e), kinds[i].rc, "%s",
		       kinds[i].kind);
		signer_release(&s);
	}
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		is_int(public_key_parse(texts[i], strlen(texts[i]), &k, &e), -EBADMSG,
		       "text %zu", i);
	is_int(public_key_parse(large, sizeof(large), &k, &e), -EBADMSG, "a large one");
	ok(!k && e.text[0], "with a sentence");
}

int main(void)
{
	test_verify("P-256", EVP_sha256());
	test_verify("P-384", EVP_sha256());
	test_verify("P-384", EVP_sha384());
	test_verify("P-521", EVP_sha512());
	test_verify("ED25519", NULL);
	test_verify("RSA2048", EVP_sha256());
	test_hash_is_of_the_curve();
	test_refused();
	return test_done();
}
