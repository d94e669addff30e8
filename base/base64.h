/* SPDX-License-Identifier: MIT */
/*
 * Base64 (RFC 4648, section 4).
 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>

struct buf;

/*
 * Decodes @text[0..*len) in place and sets *len to the new length. The padding may be
 * missing. False, with unspecified content of @text, if it is not base64.
 */
bool base64_decode(char *text, size_t *len);
/* Appends @data encoded as padded base64. 0, -ENOMEM or -E2BIG. */
int base64_append(struct buf *out, const void *data, size_t len);

#endif
