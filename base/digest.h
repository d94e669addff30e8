/* SPDX-License-Identifier: MIT */
/*
 * Digests (image-spec descriptor.md, "Digests"), and the computation of hashes. The only
 * file that knows OpenSSL.
 */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum digest_alg {
	DIGEST_NONE, /* zeroed memory is no digest */
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
 * Parses @len characters "ALG:HEX", with lower-case hex of the algorithm's length. 0, -EBADMSG
 * if it is not a digest, -ENOTSUP if the algorithm is unknown.
 */
int digest_parse(const char *text, size_t len, struct digest *out);
/* Writes "ALG:HEX" to @out, of DIGEST_TEXT_MAX bytes, and returns it. */
const char *digest_format(const struct digest *d, char *out);
/* The same, HEX alone. */
const char *digest_hex(const struct digest *d, char *out);
/* DIGEST_NONE is equal to nothing, not even to itself. */
bool digest_equal(const struct digest *a, const struct digest *b);

/* The digest of @data. 0 or -ENOMEM. */
int digest_of(enum digest_alg alg, const void *data, size_t len, struct digest *out);

/* Hashing in pieces. One thread at a time. */
struct hasher;

int hasher_new(enum digest_alg alg, struct hasher **out);
void hasher_free(struct hasher *h);
void hasher_update(struct hasher *h, const void *data, size_t len);
/* The digest of all bytes so far; the hasher starts again. */
void hasher_finish(struct hasher *h, struct digest *out);
/* The digest of all bytes so far; the hasher continues. */
void hasher_peek(const struct hasher *h, struct digest *out);

#endif
