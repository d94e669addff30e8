/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "fs/tree/short_inos.h"
#include "tests/unit/test.h"

#define MANY 200000

static uint64_t long_one(uint32_t i)
{
	return (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Through many enlargements. */
static void test_many(void)
{
	uint32_t *numbers = calloc(MANY, sizeof(*numbers)), i, again = 0, bad = 0;
	struct short_inos *s = NULL;

	if (!ok(numbers && short_inos_new(&s) == 0, "made")) {
		free(numbers);
		return;
	}
	for (i = 0; i < MANY; i++)
		bad += short_inos_get(s, long_one(i), &numbers[i]) != 0;
	for (i = 0; i < MANY; i++) {
		bad += short_inos_get(s, long_one(i), &again) != 0 || again != numbers[i];
		bad += again < 2;
	}
	is_int(bad, 0, "each has a number, and keeps it");
	qsort(numbers, MANY, sizeof(*numbers), compare);
	for (i = 1; i < MANY; i++)
		bad += numbers[i] == numbers[i - 1];
	is_int(bad, 0, "of its own");
	short_inos_free(s);
	free(numbers);
}

static void test_same_bits(void)
{
	static const uint64_t same[] = {
		0x500000000, 5, 0x400000001, 0,
		0x100000001, 1, 0xffffffff,  0xfffffffe00000001,
	};
	uint32_t seen[8] = {0};
	struct short_inos *s = NULL;
	size_t i, k, n = sizeof(same) / sizeof(same[0]), bad = 0;

	if (!ok(short_inos_new(&s) == 0, "made"))
		return;
	for (i = 0; i < n; i++)
		bad += short_inos_get(s, same[i], &seen[i]) != 0;
	is_int(seen[0], 5, "the first one gets what its bits say");
	for (i = 0; i < n; i++)
		for (k = 0; k < i; k++)
			bad += seen[i] == seen[k] || seen[i] < 2;
	is_int((long)bad, 0, "and none another's, also at the end of the range");
	short_inos_free(s);
	short_inos_free(NULL);
}

int main(void)
{
	test_many();
	test_same_bits();
	return test_done();
}
