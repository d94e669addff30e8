/* SPDX-License-Identifier: MIT */
/*
 * A span from a hostile index over hostile bytes: loading succeeds or fails. A digest
 * of compressed bytes is made to match, because nothing would be decoded otherwise.
 *
 *	kind, bits, flags, in[2], in_len[2], out_len[3], skip[3], window_len[2]
 *	window
 *	the layer
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/num.h"
#include "base/source.h"
#include "tar/codec/span.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEAD 15

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct source *blob = NULL;
	struct span sp = {0};
	struct digest d;
	uint8_t *out, *layer;

	if (size < HEAD)
		return 0;
	sp.kind = (enum span_kind)(data[0] % 5);
	sp.bits = data[1] % 9;
	sp.digest_is_of_output = data[2] & 1;
	sp.has_crc = data[2] & 2;
	sp.in = get_le16(data + 3);
	sp.in_len = get_le16(data + 5);
	sp.out_len = get_le32(data + 6) >> 8;
	sp.skip = get_le32(data + 9) >> 8;
	sp.out = data[2] & 4 ? sp.skip : 1u << 30;
	sp.window_len = get_le16(data + 13);
	data += HEAD;
	size -= HEAD;
	if (sp.window_len > size)
		sp.window_len = size;
	sp.window = sp.window_len > 0 ? data : NULL;
	data += sp.window_len;
	size -= sp.window_len;

	/* A copy, so that ASan detects one byte too many. */
	layer = malloc(size + 1);
	memcpy(layer, data, size);
	if (source_memory(layer, size, &blob) < 0)
		abort();
	if (range_fits(sp.in, sp.in_len, size) &&
	    digest_of(DIGEST_SHA256, layer + sp.in, (size_t)sp.in_len, &d) == 0)
		memcpy(sp.digest, d.bytes, sizeof(sp.digest));
	out = malloc((size_t)sp.out_len);
	if (out)
		(void)span_load(&sp, blob, out, NULL);
	free(out);
	free(layer);
	source_unref(blob);
	return 0;
}
