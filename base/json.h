/* SPDX-License-Identifier: MIT */
/*
 * JSON documents, as foreign bytes: a tree with ceilings, and writing of texts.
 * The only file that knows yajl.
 *
 * Object keys keep their order; a key that occurs twice is found at its last
 * place, as Go's decoder does it. All values are borrowed from the root.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

/* Deeper than any document of this field, far from any stack. */
#define JSON_DEPTH_MAX 64

struct json;

/*
 * One whole document, nothing but white space after it. -EBADMSG with a sentence for
 * what is no JSON, -E2BIG for more than JSON_DEPTH_MAX levels, -ENOMEM.
 */
int json_parse(const void *data, size_t len, struct json **out, struct err *e);
/* The root only. NULL is fine. */
void json_free(struct json *root);

enum json_type json_type(const struct json *j);

/* Members and items. NULL when @j is NULL, not of that type, or has no such one. */
const struct json *json_member(const struct json *j, const char *key);
const struct json *json_item(const struct json *j, size_t i);
/* Members of an object, items of an array, else 0. */
size_t json_count(const struct json *j);
/* The i-th member's key and value; NULL outside. */
const char *json_key(const struct json *j, size_t i);
const struct json *json_value(const struct json *j, size_t i);

/* The text of a string, NUL-terminated; NULL if @j is no string, or holds a NUL inside. */
const char *json_string(const struct json *j);
/* The same of a member. */
const char *json_member_string(const struct json *j, const char *key);
/* A whole number that fits; false, and *out untouched, else. */
bool json_int(const struct json *j, int64_t *out);
bool json_member_int(const struct json *j, const char *key, int64_t *out);
/* true only for the value true. */
bool json_is_true(const struct json *j);

/* Appends @text as a JSON string, quotes and escapes included; bad UTF-8 becomes U+FFFD. */
int json_append_string(struct buf *b, const char *text, size_t len);

#endif
