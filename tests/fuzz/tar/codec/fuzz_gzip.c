/* SPDX-License-Identifier: MIT */
/*
 * A gzip stream, decoded by both engines. If a pass succeeds, its spans decode to the
 * same bytes; if both engines succeed, their output is the same.
 *
 * The first byte is the size of the pieces. If the second is 0, the rest is a stream
 * without its magic. Else it is deflate streams, which become members with right
 * checksums: few inputs would get past those by chance.
 */
#include <stdint.h>

#include "tar/codec/checksum.h"
#include "tests/unit/spans.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OUTPUT_MAX  (4u << 20)
#define MEMBERS_MAX 16

static const uint8_t header[10] = {0x1f, 0x8b, 8};

/* Appends one member. Returns how much of @data its deflate stream takes. */
static size_t put_member(const uint8_t *data, size_t size, uint8_t *to, size_t *len)
{
	static uint8_t out[OUTPUT_MAX];
	struct flow flow = {data, size, out, sizeof(out)};
	struct inflate *f = NULL;
	uint32_t end[2];
	size_t used;

	if (inflate_new(INFLATE_ZLIB, &f) < 0 || inflate_start(f, NULL, 0, 0, 0) < 0)
		abort();
	(void)inflate_run(f, &flow, false);
	inflate_free(f);
	used = size - flow.in_len;
	end[1] = (uint32_t)(sizeof(out) - flow.out_len);
	end[0] = checksum(0, out, end[1]);
	memcpy(to + *len, header, sizeof(header));
	memcpy(to + *len + sizeof(header), data, used);
	memcpy(to + *len + sizeof(header) + used, end, sizeof(end));
	*len += sizeof(header) + used + sizeof(end);
	return used;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pass fast = {.max = OUTPUT_MAX}, zlib = {.max = OUTPUT_MAX};
	uint8_t *in, *exact;
	size_t len = 0, i;
	long piece;

	if (size < 4)
		return 0;
	in = malloc(size + MEMBERS_MAX * 18);
	piece = data[0] < 128 ? 1 + data[0] : -10 * (long)data[0];
	if (data[1] == 0) {
		memcpy(in, header, 2);
		memcpy(in + 2, data + 2, size - 2);
		len = size;
	} else {
		data += 2;
		size -= 2;
		for (i = 0; i < MEMBERS_MAX && size > 0; i++) {
			size_t used = put_member(data, size, in, &len);

			data += used;
			size -= used;
		}
	}
	exact = malloc(len);
	memcpy(exact, in, len);
	pass_run(&fast, exact, len, piece, 0);
	pass_run(&zlib, exact, len, piece, 1);
	if (fast.rc == 0 && pass_check(&fast, exact, len))
		abort();
	if (zlib.rc == 0 && pass_check(&zlib, exact, len))
		abort();
	if (fast.rc == 0 && zlib.rc == 0 &&
	    (fast.len != zlib.len || (fast.len && memcmp(fast.out, zlib.out, fast.len))))
		abort();
	pass_release(&fast);
	pass_release(&zlib);
	free(in);
	free(exact);
	return 0;
}
