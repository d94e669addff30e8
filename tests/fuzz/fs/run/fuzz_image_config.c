/* SPDX-License-Identifier: MIT */
/* A config, and the words and the environment that it gives. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "fs/run/environment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char *none[] = {NULL};
	const struct run_spec spec = {.words = none};
	struct strings words = {NULL, 0}, env = {NULL, 0};
	struct image_config c;
	struct err e;
	size_t i;

	if (image_config_parse(&c, (const char *)data, size, &e) == 0 &&
	    environment_words(&spec, &c, &words) == 0 &&
	    environment_make(&spec, &c, "/", &env) == 0) {
		if (words.n != c.entrypoint.n + c.cmd.n || env.n > c.env.n + 3)
			abort();
		for (i = 0; i < env.n; i++) {
			if (!strchr(env.items[i], '='))
				abort();
		}
	}
	strings_release(&words);
	strings_release(&env);
	image_config_release(&c);
	return 0;
}
