/* SPDX-License-Identifier: MIT */
#include "registry/config/short_name.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/err.h"
#include "registry/image/reference.h"
#include "registry/config/registries.h"

void candidates_release(struct candidates *c)
{
	size_t i;

	for (i = 0; i < c->n; i++)
		free(c->list[i]);
	free(c->list);
	*c = (struct candidates){0};
}

/* "HOST/REST", or REST alone. */
static int candidates_add(struct candidates *c, const char *host, const char *rest)
{
	size_t len = (host ? strlen(host) + 1 : 0) + strlen(rest) + 1;
	char *text = malloc(len);

	if (!text || array_grow(&c->list, c->n, sizeof(*c->list)) < 0) {
		free(text);
		return -ENOMEM;
	}
	snprintf(text, len, "%s%s%s", host ? host : "", host ? "/" : "", rest);
	c->list[c->n++] = text;
	return 0;
}

/* The alias, if there is one, with the tag and digest of @text appended. */
static int candidates_add_alias(struct candidates *c, const struct registries *r,
				const char *text)
{
	size_t len = strcspn(text, ":@");
	char *name = strndup(text, len), *full;
	const char *alias = name ? registries_alias(r, name) : NULL;
	int rc = name ? 0 : -ENOMEM;

	if (alias) {
		size_t size = strlen(alias) + strlen(text + len) + 1;

		full = malloc(size);
		rc = full ? 0 : -ENOMEM;
		if (full) {
			snprintf(full, size, "%s%s", alias, text + len);
			rc = candidates_add(c, NULL, full);
		}
		free(full);
	}
	free(name);
	return rc;
}

int short_name_expand(const struct registries *r, const char *text,
		      struct candidates *out, struct err *e)
{
	struct candidates c = {0};
	bool has_alias;
	size_t i;
	int rc = 0;

	if (reference_is_short(text)) {
		rc = candidates_add_alias(&c, r, text);
		has_alias = c.n > 0;
		if (rc == 0 && !has_alias && r->is_enforcing && r->n_search > 1)
			rc = err_set(
				e, -EINVAL,
				"%s: ambiguous: registries.conf has %zu hosts to search, "
				"and its short-name-mode is \"enforcing\"",
				text, r->n_search);
		for (i = 0; !has_alias && rc == 0 && i < r->n_search; i++)
			rc = candidates_add(&c, r->search[i], text);
	}
	if (rc == 0 && c.n == 0)
		rc = candidates_add(&c, NULL, text);
	if (rc == -ENOMEM)
		err_set(e, rc, "out of memory");
	if (rc < 0)
		candidates_release(&c);
	else
		*out = c;
	return rc;
}
