/* SPDX-License-Identifier: MIT */
/* Any text taken for a Content-Range and a Link. */
#include <stdlib.h>
#include <string.h>

#include "registry/http/fields.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct content_range range;
	const char *link;
	size_t len;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (content_range_parse(text, &range) && range.has_range &&
	    range.first > range.last)
		abort();
	link = link_next(text, &len);
	if (link && (link < text || link + len > text + size))
		abort();
	free(text);
	return 0;
}
