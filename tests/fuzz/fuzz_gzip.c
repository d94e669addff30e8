/* SPDX-License-Identifier: MIT */
/*
 * A gzip stream, decoded by both engines: whatever passes, its spans give the same
 * bytes again, and if the engines agree that it is good they agree on what it is.
 * The first byte says how it is fed; the rest has the magic put before it.
 */
#include <stdint.h>

#include "tests/unit/spans.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OUTPUT_MAX (4u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pass fast = {.max = OUTPUT_MAX}, zlib = {.max = OUTPUT_MAX};
	uint8_t *in;
	long piece;

	if (size < 3)
		return 0;
	piece = data[0] < 128 ? 1 + data[0] : -10 * (long)data[0];
	in = malloc(size + 1);
	in[0] = 0x1f;
	in[1] = 0x8b;
	memcpy(in + 2, data + 1, size - 1);

	pass_run(&fast, in, size + 1, piece, 0);
	pass_run(&zlib, in, size + 1, piece, 1);
	if (fast.rc == 0 && pass_check(&fast, in, size + 1))
		abort();
	if (zlib.rc == 0 && pass_check(&zlib, in, size + 1))
		abort();
	if (fast.rc == 0 && zlib.rc == 0 &&
	    (fast.len != zlib.len || (fast.len && memcmp(fast.out, zlib.out, fast.len))))
		abort();
	pass_release(&fast);
	pass_release(&zlib);
	free(in);
	return 0;
}
