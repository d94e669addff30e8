/* SPDX-License-Identifier: MIT */
#include "base/rfc3339.h"

#include <time.h>

/* The rest of the text. */
struct rest {
	const char *at;
	const char *end;
};

static bool take_char(struct rest *r, const char *any)
{
	for (; r->at < r->end && *any; any++) {
		if (*r->at == *any) {
			r->at++;
			return true;
		}
	}
	return false;
}

/* Exactly @digits digits, a number in [low, high]. */
static bool take_number(struct rest *r, int digits, int low, int high, int *out)
{
	int v = 0;

	for (; digits > 0; digits--) {
		if (r->at == r->end || *r->at < '0' || *r->at > '9')
			return false;
		v = v * 10 + (*r->at++ - '0');
	}
	*out = v;
	return v >= low && v <= high;
}

static bool take_fraction(struct rest *r, uint32_t *ns)
{
	const char *start = r->at;
	uint32_t unit = 1000000000;

	for (; r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++) {
		unit /= 10;
		*ns += unit * (uint32_t)(*r->at - '0');
	}
	return r->at > start;
}

/* Seconds by which the zone is ahead of UTC. */
static bool take_zone(struct rest *r, int *ahead)
{
	bool is_behind = r->at < r->end && *r->at == '-';
	int hours, minutes;

	*ahead = 0;
	if (take_char(r, "Zz"))
		return true;
	if (!take_char(r, "+-") || !take_number(r, 2, 0, 23, &hours) ||
	    !take_char(r, ":") || !take_number(r, 2, 0, 59, &minutes))
		return false;
	*ahead = (is_behind ? -60 : 60) * (hours * 60 + minutes);
	return true;
}

bool rfc3339_parse(const char *text, size_t len, int64_t *sec, uint32_t *ns)
{
	struct rest r = {text, text + len};
	struct tm tm = {0};
	int ahead;
	uint32_t fraction = 0;

	if (!take_number(&r, 4, 0, 9999, &tm.tm_year) || !take_char(&r, "-") ||
	    !take_number(&r, 2, 1, 12, &tm.tm_mon) || !take_char(&r, "-") ||
	    !take_number(&r, 2, 1, 31, &tm.tm_mday) || !take_char(&r, "Tt ") ||
	    !take_number(&r, 2, 0, 23, &tm.tm_hour) || !take_char(&r, ":") ||
	    !take_number(&r, 2, 0, 59, &tm.tm_min) || !take_char(&r, ":") ||
	    !take_number(&r, 2, 0, 60, &tm.tm_sec))
		return false;
	if (take_char(&r, ".") && !take_fraction(&r, &fraction))
		return false;
	if (!take_zone(&r, &ahead) || r.at != r.end)
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	*sec = timegm(&tm) - ahead;
	if (ns)
		*ns = fraction;
	return true;
}
