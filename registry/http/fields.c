/* SPDX-License-Identifier: MIT */
#include "registry/http/fields.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/num.h"

#define SPACE " \t"

/* A run of digits at *at: parsed and passed. */
static bool take_number(const char **at, uint64_t *out)
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
	at += strspn(at, SPACE "="); /* some write it as the request has it */
	if (*at == '*') {
		at++;
	} else {
		if (!take_number(&at, &r.first) || *at++ != '-' ||
		    !take_number(&at, &r.last))
			return false;
		r.has_range = true;
	}
	if (*at++ != '/')
		return false;
	if (*at == '*') {
		at++;
	} else {
		if (!take_number(&at, &r.total))
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

/* "Sun, 06 Nov 1994 08:49:37 GMT", the one form that is still sent. */
static bool parse_date(const char *text, int64_t *out)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct tm tm = {0};
	char month[4];
	const char *m;

	if (sscanf(text, "%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d GMT", &tm.tm_mday,
		   month, &tm.tm_year, &tm.tm_hour, &tm.tm_min, &tm.tm_sec) != 6)
		return false;
	m = strstr(months, month);
	if (!m || strlen(month) != 3 || (m - months) % 3 != 0)
		return false;
	tm.tm_mon = (int)(m - months) / 3;
	tm.tm_year -= 1900;
	*out = (int64_t)timegm(&tm);
	return true;
}

bool retry_after_parse(const char *text, int64_t now, uint64_t *seconds)
{
	int64_t date;
	size_t len;

	text += strspn(text, SPACE);
	len = strspn(text, "0123456789");
	if (len > 0 && text[len + strspn(text + len, SPACE)] == '\0')
		return num_parse(text, len, INT64_MAX, seconds);
	if (!parse_date(text, &date))
		return false;
	*seconds = date > now ? (uint64_t)(date - now) : 0;
	return true;
}

/* Is one word of the value at @at (token or quoted) "next"? */
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

/* Past a parameter's value. */
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
