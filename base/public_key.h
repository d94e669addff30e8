/* SPDX-License-Identifier: MIT */
/*
 * Public keys that verify signatures. With base/digest.c the only file that knows OpenSSL.
 *
 * Any thread may use a key.
 */
#ifndef BASE_PUBLIC_KEY_H
#define BASE_PUBLIC_KEY_H

#include <stdbool.h>
#include <stddef.h>

struct err;
struct public_key;

/* The largest file of a key that is read: an RSA key of 16,384 bits has 3 KB. */
#define PUBLIC_KEY_TEXT_MAX (64u << 10)

/*
 * Parses the first "PUBLIC KEY" (RFC 7468) in @pem. -EBADMSG: there is none, or it is
 * malformed; -ENOTSUP: not ECDSA on P-256, P-384 or P-521, RSA of at least 2048 bits, or
 * Ed25519. Each has a sentence.
 */
int public_key_parse(const void *pem, size_t len, struct public_key **out, struct err *e);
/* Accepts NULL. */
void public_key_free(struct public_key *k);

/*
 * Is @sig a signature of @data by this key? RSA (PKCS #1 v1.5) signs the SHA-256 of @data,
 * ECDSA (in DER) that or the hash as long as its curve, Ed25519 @data itself. False also if
 * memory runs out.
 */
bool public_key_verifies(const struct public_key *k, const void *data, size_t len,
			 const void *sig, size_t sig_len);

#endif
