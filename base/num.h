/* SPDX-License-Identifier: MIT */
/* Foreign numbers: unaligned little-endian loads, checked arithmetic, decimal text. */
#ifndef BASE_NUM_H
#define BASE_NUM_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t get_le16(const void *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return le16toh(v);
}

static inline uint32_t get_le32(const void *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static inline uint64_t get_le64(const void *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

/* False, and *out is not changed, if the sum does not fit. */
static inline bool add_fits(uint64_t a, uint64_t b, uint64_t *out)
{
	uint64_t sum;

	if (__builtin_add_overflow(a, b, &sum))
		return false;
	*out = sum;
	return true;
}

/*
 * For sizes that are only displayed, because sparse files may claim any size. At most INT64_MAX,
 * so that the sum fits an off_t.
 */
static inline uint64_t add_sizes(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return add_fits(a, b, &sum) && sum <= INT64_MAX ? sum : INT64_MAX;
}

/* Whether [off, off + len) is inside [0, size). */
static inline bool range_fits(uint64_t off, uint64_t len, uint64_t size)
{
	return off <= size && len <= size - off;
}

/* @unit is a power of two; @v must be at most UINT64_MAX - unit. */
static inline uint64_t round_up(uint64_t v, uint64_t unit)
{
	return (v + unit - 1) & ~(unit - 1);
}

/*
 * Parses @text[0..len), which must be decimal digits alone, at least one. False, and *out is
 * not changed, for anything else and for a value above @max.
 */
bool num_parse(const char *text, size_t len, uint64_t max, uint64_t *out);

/* Parses a size: digits and an optional K, M, G or T (powers of 1024). */
bool num_parse_size(const char *text, uint64_t *out);

#endif
