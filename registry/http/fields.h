/* SPDX-License-Identifier: MIT */
/* Parsers of two HTTP header fields that curl does not parse. */
#ifndef REGISTRY_HTTP_FIELDS_H
#define REGISTRY_HTTP_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct content_range {
	bool has_range; /* false for "bytes * / 123", as in a 416 */
	uint64_t first, last;
	bool has_total;
	uint64_t total;
};

/* RFC 9110, 14.4. False if @text is malformed or contradicts itself. */
bool content_range_parse(const char *text, struct content_range *out);

/*
 * RFC 8288. The target of the link with the relation "next", which may be relative: *len
 * characters inside @text, or NULL if there is no such link.
 */
const char *link_next(const char *text, size_t *len);

#endif
