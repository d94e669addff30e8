/* SPDX-License-Identifier: MIT */
#include "base/hash.h"

#include <string.h>

#include "base/num.h"

static inline uint64_t rotate(uint64_t x, unsigned n)
{
	return x << n | x >> (64 - n);
}

static inline void round_of(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] = rotate(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] = rotate(v[2], 32);
}

void hash_init(struct hash *h, uint64_t key0, uint64_t key1)
{
	h->v[0] = key0 ^ 0x736f6d6570736575u;
	h->v[1] = key1 ^ 0x646f72616e646f6du;
	h->v[2] = key0 ^ 0x6c7967656e657261u;
	h->v[3] = key1 ^ 0x7465646279746573u;
}

void hash_word(struct hash *h, uint64_t word)
{
	h->v[3] ^= word;
	round_of(h->v);
	round_of(h->v);
	h->v[0] ^= word;
}

void hash_bytes(struct hash *h, const void *bytes, size_t len)
{
	const char *p = bytes;
	char last[8] = {0};
	size_t left = len;

	for (; left >= 8; left -= 8, p += 8)
		hash_word(h, get_le64(p));
	if (left > 0) {
		memcpy(last, p, left);
		hash_word(h, get_le64(last));
	}
	hash_word(h, len);
}

uint64_t hash_end(struct hash *h)
{
	int i;

	h->v[2] ^= 0xff;
	for (i = 0; i < 4; i++)
		round_of(h->v);
	return h->v[0] ^ h->v[1] ^ h->v[2] ^ h->v[3];
}
