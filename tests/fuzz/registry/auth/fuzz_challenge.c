/* SPDX-License-Identifier: MIT */
/* Any text taken for a WWW-Authenticate. */
#include <stdlib.h>
#include <string.h>
#include <stdint.h>

#include "registry/auth/challenge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct challenge c;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (challenge_choose(text, &c) == 0 && c.scheme == CHALLENGE_OTHER)
		abort();
	free(text);
	return 0;
}
