/* SPDX-License-Identifier: MIT */
/* Any bytes taken for the header of an answer, line by line. */
#include <string.h>

#include "registry/http/answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *at = (const char *)data, *end = at + size, *nl;
	struct http_head h = {0};

	for (; at < end; at = nl) {
		nl = memchr(at, '\n', (size_t)(end - at));
		nl = nl ? nl + 1 : end;
		if (answer_line(&h, at, (size_t)(nl - at)))
			break;
	}
	answer_release(&h);
	return 0;
}
