/* SPDX-License-Identifier: MIT */
/*
 * Anything but gzip, in pieces of the size in the first byte. If a pass succeeds, its
 * spans decode to the same bytes.
 */
#include <stdint.h>

#include "tests/unit/spans.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OUTPUT_MAX (12u << 20) /* room for a long frame */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pass p = {.max = OUTPUT_MAX};

	if (size < 1)
		return 0;
	pass_run(&p, data + 1, size - 1,
		 data[0] < 128 ? 1 + data[0] : -10 * (long)data[0], 0);
	if (p.rc == 0 && pass_check(&p, data + 1, size - 1))
		abort();
	pass_release(&p);
	return 0;
}
