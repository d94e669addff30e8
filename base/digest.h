/* SPDX-License-Identifier: MIT */
/*
 * Digests as the image spec writes them (image-spec descriptor.md, "Digests"),
 * and the hashing that makes them. The only file that knows OpenSSL.
 */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum digest_alg {
	DIGEST_NONE, /* all zero bytes are no digest */
	DIGEST_SHA256,
	DIGEST_SHA384,
	DIGEST_SHA512,
};

#define DIGEST_BYTES_MAX 64
/* "sha512:" + 128 hex digits + NUL */
#define DIGEST_TEXT_MAX (7 + 2 * DIGEST_BYTES_MAX + 1)

struct digest {
	enum digest_alg alg;
	uint8_t bytes[DIGEST_BYTES_MAX]; /* zero past the algorithm's length */
};

/* Bytes of a digest of @alg; 0 for DIGEST_NONE. */
size_t digest_size(enum digest_alg alg);
/* "sha256"; "" for DIGEST_NONE. */
const char *digest_alg_name(enum digest_alg alg);

/*
 * "alg:hex" of exactly @len characters, lower-case hex of the algorithm's length.
 * 0, -EBADMSG for what is no digest, -ENOTSUP for one of an unknown algorithm.
 */
int digest_parse(const char *text, size_t len, struct digest *out);
/* Gives @out, which has DIGEST_TEXT_MAX bytes, back. */
const char *digest_format(const struct digest *d, char *out);
/* The hex part alone; the same buffer size. */
const char *digest_hex(const struct digest *d, char *out);
/* DIGEST_NONE equals nothing, itself included. */
bool digest_equal(const struct digest *a, const struct digest *b);

/* The digest of a whole run of bytes. 0 or -ENOMEM. */
int digest_of(enum digest_alg alg, const void *data, size_t len, struct digest *out);

/* Hashing piece by piece. One thread at a time. */
struct hasher;

int hasher_new(enum digest_alg alg, struct hasher **out);
void hasher_free(struct hasher *h);
void hasher_update(struct hasher *h, const void *data, size_t len);
/* Gives the digest of all since the start, and starts again. */
void hasher_finish(struct hasher *h, struct digest *out);
/* Gives the digest of all since the start, and goes on. */
void hasher_peek(const struct hasher *h, struct digest *out);

#endif
