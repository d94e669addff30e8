/* SPDX-License-Identifier: MIT */
#include "base/control.h"

#include <string.h>

size_t control_len(const char *p, const char *end, unsigned *code)
{
	const unsigned char *c = (const unsigned char *)p;
	size_t left = (size_t)(end - p), len = 0;
	unsigned value = c[0];

	if (value < ' ' || value == 0x7f) {
		len = 1;
	} else if (value == 0xc2 && left > 1 && c[1] >= 0x80 && c[1] < 0xa0) {
		value = c[1];
		len = 2;
	} else if (value == 0xe2 && left > 2 && (c[1] == 0x80 || c[1] == 0x81)) {
		value = 0x2000 | (c[1] & 0x3fu) << 6 | (c[2] & 0x3fu);
		if (c[2] >> 6 == 2 && ((value >= 0x202a && value <= 0x202e) ||
				       (value >= 0x2066 && value <= 0x2069)))
			len = 3;
	}
	if (len > 0 && code)
		*code = value;
	return len;
}

void control_mask(char *text)
{
	const char *from = text, *end = text + strlen(text);
	size_t n;

	for (; from < end; from += n ? n : 1) {
		n = control_len(from, end, NULL);
		*text++ = n ? '?' : *from;
	}
	*text = '\0';
}
