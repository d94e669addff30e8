/* SPDX-License-Identifier: MIT */
#include "base/num.h"

bool num_parse(const char *text, size_t len, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;
	size_t i;

	if (len == 0)
		return false;
	for (i = 0; i < len; i++) {
		unsigned digit = (unsigned char)text[i] - (unsigned)'0';

		if (digit > 9 || v > (max - digit) / 10 || digit > max)
			return false;
		v = v * 10 + digit;
	}
	*out = v;
	return true;
}

bool num_parse_size(const char *text, uint64_t *out)
{
	static const char units[] = "KMGT";
	size_t len = strlen(text);
	unsigned shift = 0;
	const char *unit;
	uint64_t v;

	if (len > 0 && (unit = strchr(units, text[len - 1] & ~0x20)) && *unit) {
		shift = 10 * (unsigned)(unit - units + 1);
		len--;
	}
	if (!num_parse(text, len, UINT64_MAX >> shift, &v))
		return false;
	*out = v << shift;
	return true;
}
