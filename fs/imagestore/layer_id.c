/* SPDX-License-Identifier: MIT */
#include "fs/imagestore/layer_id.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/digest.h"

int layer_id_make(const char *parent, const struct digest *diff_id,
		  char out[LAYER_ID_MAX])
{
	char hex[DIGEST_TEXT_MAX], chain[LAYER_ID_MAX + DIGEST_TEXT_MAX];
	struct digest d = *diff_id;
	int rc = 0;

	if (diff_id->alg != DIGEST_SHA256)
		return -ENOTSUP;
	if (parent) {
		snprintf(chain, sizeof(chain), "%s+%s", parent, digest_hex(&d, hex));
		rc = digest_of(DIGEST_SHA256, chain, strlen(chain), &d);
	}
	if (rc == 0)
		strcpy(out, digest_hex(&d, hex));
	return rc;
}

int layer_id_link(const char *id, char out[LAYER_LINK_MAX])
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	struct digest d;
	unsigned bits = 0, n_bits = 0, byte = 0;
	size_t i;
	int rc = digest_of(DIGEST_SHA256, id, strlen(id), &d);

	if (rc < 0)
		return rc;
	for (i = 0; i < LAYER_LINK_MAX - 1; i++) {
		if (n_bits < 5) {
			bits = bits << 8 | d.bytes[byte++];
			n_bits += 8;
		}
		n_bits -= 5;
		out[i] = digits[bits >> n_bits & 31];
	}
	out[i] = '\0';
	return 0;
}
