/* SPDX-License-Identifier: MIT */
/* What is a reference, is one when written in full, and the same. */
#include <stdlib.h>
#include <string.h>

#include "registry/image/platform.h"
#include "registry/image/reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), full[REFERENCE_TEXT_MAX],
	     again[REFERENCE_TEXT_MAX];
	struct reference r;
	struct platform p;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (reference_parse(text, &r, NULL) == 0) {
		reference_format(&r, full);
		if (reference_parse(full, &r, NULL) < 0 ||
		    strcmp(reference_format(&r, again), full) != 0)
			abort();
		(void)reference_host_is_loopback(r.host);
	}
	if (platform_parse(text, &p, NULL) == 0 && platform_match(&p, &p) == 0)
		abort();
	free(text);
	return 0;
}
