/* SPDX-License-Identifier: MIT */
/*
 * A 64-bit hash: SipHash-2-4 (Aumasson and Bernstein, 2012), fed in words. It has a fifth
 * of the cost of SHA-256 for a few dozen bytes. Unlike a checksum, it cannot be inverted other
 * than by trial.
 *
 * It is not a digest: 2^64 trials find a second input with the same hash.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash {
	uint64_t v[4];
};

/* Different keys give different hash functions. */
void hash_init(struct hash *h, uint64_t key0, uint64_t key1);
void hash_word(struct hash *h, uint64_t word);
/* The length is hashed, too, so that ("ab", "c") and ("a", "bc") differ. */
void hash_bytes(struct hash *h, const void *bytes, size_t len);
/* The result. The hash must not be used again. */
uint64_t hash_end(struct hash *h);

#endif
