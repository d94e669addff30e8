/* SPDX-License-Identifier: MIT */
/* Any text taken for a payload, a statement, a bundle, a signature's file, and a key. */
#include <stdlib.h>
#include <string.h>

#include "base/public_key.h"
#include "registry/trust/identity.h"
#include "registry/trust/payload.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const struct payload *p)
{
	const struct identity id = {.kind = IDENTITY_REPOSITORY};
	struct reference r;

	if (p->digest.alg == DIGEST_NONE || reference_parse("a.b/c:t", &r, NULL) < 0)
		abort();
	if (p->reference)
		(void)identity_matches(&id, &r, p->reference);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct payload p;
	struct bundle b;
	struct signature_file f;
	struct public_key *k;

	if (payload_parse_simple(data, size, &p, NULL) == 0) {
		use(&p);
		payload_release(&p);
	}
	if (bundle_parse(data, size, &b, NULL) == 0) {
		if (payload_parse_statement(b.statement.data, b.statement.len, &p,
					    NULL) == 0)
			use(&p);
		bundle_release(&b);
	}
	if (payload_parse_statement(data, size, &p, NULL) == 0)
		use(&p);
	if (signature_file_parse(data, size, &f, NULL) == 0)
		signature_file_release(&f);
	/* OpenSSL takes its time for anything else, too. */
	if (size > 5 && memcmp(data, "-----", 5) == 0 &&
	    public_key_parse(data, size, &k, NULL) == 0) {
		(void)public_key_verifies(k, data, size, data, size);
		public_key_free(k);
	}
	return 0;
}
