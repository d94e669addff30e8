/* SPDX-License-Identifier: MIT */
/*
 * Values of HTTP header fields that need reading: Content-Range, Retry-After
 * (RFC 9110), Link (RFC 8288). Foreign text of any content; pure.
 */
#ifndef REGISTRY_HTTP_FIELDS_H
#define REGISTRY_HTTP_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct content_range {
	bool has_range; /* false for "bytes * / 123", as a 416 has it */
	uint64_t first, last;
	bool has_total;
	uint64_t total;
};

/* RFC 9110, 14.4. false for what is not one, or contradicts itself. */
bool content_range_parse(const char *text, struct content_range *out);

/*
 * RFC 9110, 10.2.3: seconds, or a date, of which @now (seconds since the epoch) is
 * subtracted. Gives seconds from now, 0 for a date gone by.
 */
bool retry_after_parse(const char *text, int64_t now, uint64_t *seconds);

/*
 * The target of the link with rel "next": *len characters at the result, inside
 * @text. NULL if there is none. It may be relative.
 */
const char *link_next(const char *text, size_t *len);

#endif
