/* SPDX-License-Identifier: MIT */
#include "registry/auth/credential.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

bool credential_is_empty(const struct credential *c)
{
	return !c->identity_token && !c->registry_token && !(c->user && c->password);
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

bool credential_equal(const struct credential *a, const struct credential *b)
{
	return same_text(a->user, b->user) && same_text(a->password, b->password) &&
	       same_text(a->identity_token, b->identity_token) &&
	       same_text(a->registry_token, b->registry_token);
}

int credential_copy(const struct credential *c, struct credential *out)
{
	*out = (struct credential){
		.user = c->user ? strdup(c->user) : NULL,
		.password = c->password ? strdup(c->password) : NULL,
		.identity_token = c->identity_token ? strdup(c->identity_token) : NULL,
		.registry_token = c->registry_token ? strdup(c->registry_token) : NULL,
		.origin = c->origin ? strdup(c->origin) : NULL,
	};
	if (credential_equal(c, out) && same_text(c->origin, out->origin))
		return 0;
	credential_release(out);
	return -ENOMEM;
}

void credential_release(struct credential *c)
{
	secret_free(c->user);
	secret_free(c->password);
	secret_free(c->identity_token);
	secret_free(c->registry_token);
	free(c->origin);
	*c = (struct credential){0};
}
