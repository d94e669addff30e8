/* SPDX-License-Identifier: MIT */
/* Keys that sign, for tests: OpenSSL as the other side of base/public_key.c. */
#ifndef TESTS_UNIT_SIGNER_H
#define TESTS_UNIT_SIGNER_H

#include <stdlib.h>

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "base/buf.h"
#include "tests/unit/test.h"

struct signer {
	EVP_PKEY *key;
	struct buf pem; /* the public key */
};

static void signer_take(struct signer *s, EVP_PKEY *key)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	long len;

	if (!key || !bio || PEM_write_bio_PUBKEY(bio, key) != 1)
		exit(1);
	len = BIO_get_mem_data(bio, &text);
	s->key = key;
	buf_init(&s->pem, 1 << 16);
	if (buf_append(&s->pem, text, (size_t)len) < 0)
		exit(1);
	BIO_free(bio);
}

/* @kind: "P-256", "P-384", "P-521", "ED25519", "RSA2048". */
__attribute__((unused)) static void signer_make(struct signer *s, const char *kind)
{
	if (kind[0] == 'P')
		signer_take(s, EVP_EC_gen(kind));
	else if (kind[0] == 'R')
		signer_take(s, EVP_RSA_gen((unsigned)atoi(kind + 3)));
	else
		signer_take(s, EVP_PKEY_Q_keygen(NULL, NULL, kind));
}

static void signer_release(struct signer *s)
{
	EVP_PKEY_free(s->key);
	buf_release(&s->pem);
}

/* Appends the signature of @data, over its hash @md (NULL: over itself), to @out. */
__attribute__((unused)) static void signer_sign(const struct signer *s, const EVP_MD *md,
						const void *data, size_t len,
						struct buf *out)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char sig[1024];
	size_t n = sizeof(sig);

	if (!ctx || EVP_DigestSignInit(ctx, NULL, md, NULL, s->key) != 1 ||
	    EVP_DigestSign(ctx, sig, &n, data, len) != 1 || buf_append(out, sig, n) < 0)
		exit(1);
	EVP_MD_CTX_free(ctx);
}

#endif
