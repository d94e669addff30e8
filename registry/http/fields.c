/* SPDX-License-Identifier: MIT */
#include "registry/http/fields.h"

#include <string.h>
#include <strings.h>

#include "base/num.h"

#define SPACE " \t"

/* Parses the digits at *at and moves past them. */
static bool number_take(const char **at, uint64_t *out)
{
	size_t len = strspn(*at, "0123456789");

	if (!num_parse(*at, len, INT64_MAX, out))
		return false;
	*at += len;
	return true;
}

bool content_range_parse(const char *text, struct content_range *out)
{
	struct content_range r = {0};
	const char *at = text + strspn(text, SPACE);

	if (strncasecmp(at, "bytes", 5) != 0)
		return false;
	at += 5;
	at += strspn(at, SPACE "="); /* some servers send "bytes=", as in requests */
	if (*at == '*') {
		at++;
	} else {
		if (!number_take(&at, &r.first) || *at++ != '-' ||
		    !number_take(&at, &r.last))
			return false;
		r.has_range = true;
	}
	if (*at++ != '/')
		return false;
	if (*at == '*') {
		at++;
	} else {
		if (!number_take(&at, &r.total))
			return false;
		r.has_total = true;
	}
	if (at[strspn(at, SPACE)] != '\0' || (!r.has_range && !r.has_total))
		return false;
	if (r.has_range && (r.first > r.last || (r.has_total && r.last >= r.total)))
		return false;
	*out = r;
	return true;
}

/* Whether one word of the value at @at, a token or a quoted string, is "next". */
static bool is_rel_next(const char *at)
{
	size_t len;

	if (*at != '"')
		return strncasecmp(at, "next", 4) == 0 && strchr(" \t;,", at[4]);
	for (at++; *at && *at != '"'; at += len) {
		at += strspn(at, SPACE);
		len = strcspn(at, SPACE "\"");
		if (len == 4 && strncasecmp(at, "next", 4) == 0)
			return true;
	}
	return false;
}

/* The end of the parameter value at @at. */
static const char *skip_value(const char *at)
{
	if (*at != '"')
		return at + strcspn(at, ";,");
	for (at++; *at && *at != '"'; at++) {
		if (*at == '\\' && at[1])
			at++;
	}
	return *at ? at + 1 : at;
}

const char *link_next(const char *text, size_t *len)
{
	const char *at = text;

	while ((at = strchr(at, '<'))) {
		const char *target = at + 1, *end = strchr(target, '>');

		if (!end)
			return NULL;
		at = end + 1;
		for (;;) {
			const char *name;
			size_t name_len;

			at += strspn(at, SPACE ";");
			if (*at == '\0' || *at == ',')
				break;
			name = at;
			name_len = strcspn(at, "=;," SPACE);
			at += name_len;
			at += strspn(at, SPACE);
			if (*at != '=') {
				at += strcspn(at, ";,");
				continue;
			}
			at++;
			at += strspn(at, SPACE);
			if (name_len == 3 && strncasecmp(name, "rel", 3) == 0 &&
			    is_rel_next(at)) {
				*len = (size_t)(end - target);
				return target;
			}
			at = skip_value(at);
		}
	}
	return NULL;
}
