/* SPDX-License-Identifier: MIT */
/* Any text taken for a policy; what is valid decides about an image. */
#include <stdlib.h>
#include <string.h>

#include "registry/image/reference.h"
#include "registry/trust/check.h"
#include "registry/trust/policy.h"
#include "registry/trust/scope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void match(const struct policy_scope *s, const struct reference *r)
{
	size_t i;

	for (i = 0; i < s->n; i++) {
		(void)identity_matches(&s->list[i].identity, r, "a.b/c:t");
		(void)identity_matches(&s->list[i].identity, NULL, "a.b/c");
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reference r;
	struct subject image = {.transport = "docker", .reference = &r};
	struct subject file = {.transport = "oci", .path = "/a/b"};
	struct policy p;

	if (policy_parse(data, size, &p, NULL) < 0)
		return 0;
	if (reference_parse("a.b/c:t", &r, NULL) < 0 || p.n_scopes == 0)
		abort();
	match(policy_choose(&p, &image), &r);
	match(policy_choose(&p, &file), &r);
	policy_release(&p);
	return 0;
}
