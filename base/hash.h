/* SPDX-License-Identifier: MIT */
/*
 * 64 bits of what something is: SipHash-2-4 (Aumasson and Bernstein, 2012), taken word
 * by word. A fifth of the cost of SHA-256 for a few dozen bytes, and, unlike a
 * checksum, with no way back from a result to what gives it but to try.
 *
 * A hash is no digest: 2^64 tries find another thing of the same number.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash {
	uint64_t v[4];
};

/* Any key: what has another one has another number. */
void hash_init(struct hash *h, uint64_t key0, uint64_t key1);
void hash_word(struct hash *h, uint64_t word);
/* Their number goes in too, so that two texts in a row are not two others. */
void hash_bytes(struct hash *h, const void *bytes, size_t len);
/* The number. The hash is used up. */
uint64_t hash_end(struct hash *h);

#endif
