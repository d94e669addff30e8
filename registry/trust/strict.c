/* SPDX-License-Identifier: MIT */
#include "registry/trust/strict.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"

static bool has_key_before(const struct json *j, size_t i)
{
	const char *key = json_key(j, i);
	size_t k;

	for (k = 0; k < i; k++) {
		if (strcmp(json_key(j, k), key) == 0)
			return true;
	}
	return false;
}

int strict_object(const struct json *j, const char *what, struct err *e)
{
	size_t i, n = json_count(j);

	if (!j || json_type(j) != JSON_OBJECT)
		return err_set(e, -EBADMSG, "%s is not an object", what);
	if (n > STRICT_MEMBERS_MAX)
		return err_set(e, -EBADMSG, "%s has more than %d members", what,
			       STRICT_MEMBERS_MAX);
	for (i = 1; i < n; i++) {
		if (has_key_before(j, i))
			return err_set(e, -EBADMSG, "%s has \"%.100s\" twice", what,
				       json_key(j, i));
	}
	return 0;
}

static bool is_among(const char *key, const char *const *keys)
{
	while (*keys && strcmp(*keys, key) != 0)
		keys++;
	return *keys != NULL;
}

int strict_members(const struct json *j, const char *what, const char *const *keys,
		   size_t n_required, struct err *e)
{
	size_t i;
	int rc = strict_object(j, what, e);

	for (i = 0; rc == 0 && i < json_count(j); i++) {
		if (!is_among(json_key(j, i), keys))
			rc = err_set(e, -EBADMSG, "%s has the unknown member \"%.100s\"",
				     what, json_key(j, i));
	}
	for (i = 0; rc == 0 && i < n_required; i++) {
		if (!json_member(j, keys[i]))
			rc = err_set(e, -EBADMSG, "%s has no \"%s\"", what, keys[i]);
	}
	return rc;
}

int strict_text(const struct json *j, const char *key, const char **out, struct err *e)
{
	const char *text = json_member_string(j, key);

	if (!text || !text[0])
		return err_set(e, -EBADMSG, "\"%s\" is not a text", key);
	*out = text;
	return 0;
}
