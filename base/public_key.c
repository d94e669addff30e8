/* SPDX-License-Identifier: MIT */
#include "base/public_key.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/pem.h>

#include "base/err.h"

/* Shorter ones can be factored, and no tool makes them any more. */
#define RSA_BITS_MIN 2048

struct public_key {
	EVP_PKEY *key;
};

/* An encrypted file is no public key. Without this, OpenSSL would ask at the terminal. */
static int give_no_password(char *text, int size, int writing, void *arg)
{
	(void)text;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

static bool has_known_curve(EVP_PKEY *key)
{
	char name[64];
	size_t len;
	int nid;

	if (EVP_PKEY_get_group_name(key, name, sizeof(name), &len) != 1)
		return false;
	nid = OBJ_txt2nid(name);
	return nid == NID_X9_62_prime256v1 || nid == NID_secp384r1 ||
	       nid == NID_secp521r1;
}

static bool is_supported(EVP_PKEY *key)
{
	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_EC:
		return has_known_curve(key);
	case EVP_PKEY_RSA:
		return EVP_PKEY_get_bits(key) >= RSA_BITS_MIN;
	case EVP_PKEY_ED25519:
		return true;
	default:
		return false;
	}
}

int public_key_parse(const void *pem, size_t len, struct public_key **out, struct err *e)
{
	struct public_key *k = calloc(1, sizeof(*k));
	BIO *bio = NULL;
	int rc = 0;

	if (!k || len > PUBLIC_KEY_TEXT_MAX || !(bio = BIO_new_mem_buf(pem, (int)len)))
		rc = len > PUBLIC_KEY_TEXT_MAX
			     ? err_set(e, -EBADMSG, "too large for a public key")
			     : err_set(e, -ENOMEM, "out of memory");
	else if (!(k->key = PEM_read_bio_PUBKEY(bio, NULL, give_no_password, NULL)))
		rc = err_set(e, -EBADMSG, "not a public key in PEM");
	else if (!is_supported(k->key))
		rc = err_set(
			e, -ENOTSUP,
			"a kind of public key that is not supported; ECDSA on P-256, "
			"P-384 and P-521, Ed25519, and RSA from %d bits are",
			RSA_BITS_MIN);
	BIO_free(bio);
	ERR_clear_error();
	if (rc < 0)
		public_key_free(k);
	else
		*out = k;
	return rc;
}

void public_key_free(struct public_key *k)
{
	if (!k)
		return;
	EVP_PKEY_free(k->key);
	free(k);
}

static bool verifies(EVP_PKEY *key, const EVP_MD *hash, const void *data, size_t len,
		     const void *sig, size_t sig_len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool good = ctx && EVP_DigestVerifyInit(ctx, NULL, hash, NULL, key) == 1 &&
		    EVP_DigestVerify(ctx, sig, sig_len, data, len) == 1;

	EVP_MD_CTX_free(ctx);
	ERR_clear_error(); /* a wrong signature leaves one */
	return good;
}

bool public_key_verifies(const struct public_key *k, const void *data, size_t len,
			 const void *sig, size_t sig_len)
{
	int kind = EVP_PKEY_get_base_id(k->key), bits = EVP_PKEY_get_bits(k->key);

	if (kind == EVP_PKEY_ED25519)
		return verifies(k->key, NULL, data, len, sig, sig_len);
	if (verifies(k->key, EVP_sha256(), data, len, sig, sig_len))
		return true;
	return kind == EVP_PKEY_EC && bits > 256 &&
	       verifies(k->key, bits == 384 ? EVP_sha384() : EVP_sha512(), data, len, sig,
			sig_len);
}
