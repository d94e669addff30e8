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
 * Decodes @text[0..*len) in place and sets *len to what it became. The padding may be
 * missing. False for anything that is not base64; then the text holds nothing to rely on.
 */
bool base64_decode(char *text, size_t *len);
/* Appends what @data is in base64, padded. 0, -ENOMEM, -E2BIG. */
int base64_append(struct buf *out, const void *data, size_t len);

#endif
