/* SPDX-License-Identifier: MIT */
/*
 * Base64 (RFC 4648, section 4), read.
 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Decodes @text[0..*len) in place and sets *len to what it became. The padding may be
 * missing. False for anything that is not base64; then the text holds nothing to rely on.
 */
bool base64_decode(char *text, size_t *len);

#endif
