/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/err.h"
#include "tar/archive/sparse.h"
#include "tests/unit/tarball.h"
#include "tests/unit/test.h"

static struct sparse_map map;
static struct err err;

static int add_list(const char *text)
{
	sparse_clear(&map);
	return sparse_add_list(&map, text, strlen(text), &err);
}

static void test_lists(void)
{
	static const struct {
		const char *text;
		int rc;
		size_t n;
		uint64_t end, stored;
	} rows[] = {
		{"0,10", 0, 1, 10, 10},
		{"0,10,20,5,100,0", 0, 2, 100, 15},
		{"10,5,15,5", 0, 2, 20, 10},
		{"100,0", 0, 0, 100, 0},
		{"9223372036854775806,1", 0, 1, INT64_MAX, 1},
		{"9223372036854775807,1", -EBADMSG, 0, 0, 0},
		{"1,9223372036854775807", -EBADMSG, 0, 0, 0},
		{"9223372036854775808,1", -EBADMSG, 0, 0, 0},
		{"0,10,5,5", -EBADMSG, 0, 0, 0},
		{"20,5,0,10", -EBADMSG, 0, 0, 0},
		{"20,0,10,1", -EBADMSG, 0, 0, 0},
		{"", -EBADMSG, 0, 0, 0},
		{"0,,1", -EBADMSG, 0, 0, 0},
		{"0,1,", -EBADMSG, 0, 0, 0},
		{"0,-1", -EBADMSG, 0, 0, 0},
		{"0, 1", -EBADMSG, 0, 0, 0},
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		is_int(add_list(rows[i].text), rows[i].rc, "list %s", rows[i].text);
		if (rows[i].rc < 0)
			continue;
		is_int(map.n, rows[i].n, "extents");
		is_int(map.end, rows[i].end, "end");
		is_int(map.stored, rows[i].stored, "stored");
	}
	is_int(add_list("0,1,5"), 0, "an odd list");
	is_int(sparse_check(&map, 100, 1, &err), -EBADMSG, "does not pass: %s", err.text);
}

static void test_check(void)
{
	add_list("0,10,20,5,100,0");
	is_int(sparse_check(&map, 100, 15, &err), 0, "fits");
	is_int(sparse_check(&map, 99, 15, &err), -EBADMSG, "beyond the size: %s",
	       err.text);
	is_int(sparse_check(&map, 100, 16, &err), -EBADMSG, "more stored: %s", err.text);
	is_int(sparse_check(&map, 100, 14, &err), -EBADMSG, "less stored");
	sparse_clear(&map);
	is_int(sparse_check(&map, 100, 0, &err), 0, "nothing but a hole");
}

static void test_texts(void)
{
	static const struct {
		const char *text;
		int rc;
		size_t n;
	} rows[] = {
		{"0\n", 1, 0},
		{"1\n0\n10\n", 1, 1},
		{"2\n0\n10\n20\n5\npadding", 1, 2},
		{"2\n0\n10\n20\n5", 0, 1},
		{"2\n0\n10\n20\n", 0, 1},
		{"", 0, 0},
		{"\n", -EBADMSG, 0},
		{"1\n\n", -EBADMSG, 0},
		{"1 \n", -EBADMSG, 0},
		{"x", -EBADMSG, 0},
		{"2\n0\n10\n5\n5\n", -EBADMSG, 0},
		{"9999999999999999999\n", -E2BIG, 0},
		{"00000000000000000001\n", -EBADMSG, 0},
		{"1\n9999999999999999999\n1\n", -EBADMSG, 0},
		{"262144\n", 0, 0},
		{"262145\n", -E2BIG, 0},
	};
	size_t i, j;
	int rc;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const uint8_t *text = (const uint8_t *)rows[i].text;

		sparse_clear(&map);
		rc = sparse_feed(&map, text, strlen(rows[i].text), &err);
		is_int(rc, rows[i].rc, "text %zu", i);
		sparse_clear(&map);
		for (j = 0, rc = 0; rc == 0 && text[j]; j++)
			rc = sparse_feed(&map, text + j, 1, &err);
		is_int(rc, rows[i].rc, "text %zu, byte by byte", i);
		if (rc >= 0)
			is_int(map.n, rows[i].n, "extents");
	}
}

static void test_pairs(void)
{
	uint8_t pairs[4 * 24];

	memset(pairs, 0, sizeof(pairs));
	header_octal(pairs, 0, 12, 512);
	header_octal(pairs, 12, 12, 1024);
	header_base256(pairs, 24, 12, 1LL << 40);
	header_octal(pairs, 36, 12, 0);
	sparse_clear(&map);
	is_int(sparse_add_gnu(&map, pairs, 4, &err), 0, "old GNU");
	ok(map.n == 1 && map.end == 1ULL << 40 && map.stored == 1024,
	   "two pairs, one extent");
	pairs[0] = 'x';
	is_int(sparse_add_gnu(&map, pairs, 4, &err), -EBADMSG, "no number");
	header_base256(pairs, 0, 12, -1);
	is_int(sparse_add_gnu(&map, pairs, 4, &err), -EBADMSG, "a negative one");
}

static void test_ceiling(void)
{
	uint64_t i;
	int rc = 0;

	sparse_clear(&map);
	for (i = 0; rc == 0 && i <= SPARSE_MAX_EXTENTS; i++) {
		rc = sparse_add_offset(&map, 2 * i, &err);
		if (rc == 0)
			rc = sparse_add_length(&map, 1, &err);
	}
	is_int(rc, -E2BIG, "too many extents: %s", err.text);
	is_int(map.n, SPARSE_MAX_EXTENTS, "as many as allowed");
}

int main(void)
{
	sparse_init(&map);
	test_lists();
	test_check();
	test_texts();
	test_pairs();
	test_ceiling();
	sparse_release(&map);
	return test_done();
}
