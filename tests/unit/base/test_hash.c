/* SPDX-License-Identifier: MIT */
#include "base/hash.h"
#include "base/num.h"
#include "tests/unit/test.h"

/* SipHash-2-4 of the first @len of the bytes 0, 1, 2..., as its paper pads them. */
static uint64_t siphash(size_t len)
{
	unsigned char bytes[16], key[16], last[8] = {0};
	struct hash h;
	size_t i;

	for (i = 0; i < 16; i++)
		bytes[i] = key[i] = (unsigned char)i;
	hash_init(&h, get_le64(key), get_le64(key + 8));
	for (i = 0; i + 8 <= len; i += 8)
		hash_word(&h, get_le64(bytes + i));
	memcpy(last, bytes + i, len - i);
	last[7] = (unsigned char)len;
	hash_word(&h, get_le64(last));
	return hash_end(&h);
}

static uint64_t of_texts(const char *a, size_t a_len, const char *b, size_t b_len)
{
	struct hash h;

	hash_init(&h, 1, 2);
	hash_bytes(&h, a, a_len);
	hash_bytes(&h, b, b_len);
	return hash_end(&h);
}

int main(void)
{
	ok(siphash(0) == UINT64_C(0x726fdb47dd0e0e31), "nothing, as its authors have it");
	ok(siphash(8) == UINT64_C(0x93f5f5799a932462), "eight bytes");
	ok(siphash(15) == UINT64_C(0xa129ca6149be45e5), "fifteen, as in the paper");

	ok(of_texts("ab", 2, "c", 1) != of_texts("a", 1, "bc", 2),
	   "where a text ends counts");
	ok(of_texts("", 0, "a", 1) != of_texts("a", 1, "", 0), "which is empty counts");
	ok(of_texts("a", 1, "", 0) != of_texts("a\0", 2, "", 0),
	   "zeros at the end count");
	ok(of_texts("12345678", 8, "", 0) !=
		   of_texts("12345678\0\0\0\0\0\0\0\0", 16, "", 0),
	   "also whole words of them");
	ok(of_texts("a", 1, "b", 1) == of_texts("a", 1, "b", 1), "the same is the same");
	return test_done();
}
