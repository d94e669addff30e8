/* SPDX-License-Identifier: MIT */
/*
 * JSON documents, as foreign bytes: a tree with ceilings, a stream of events for what is
 * too large for a tree, and writing of texts. The only file that knows yajl.
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

enum json_type {
	JSON_NULL,
	JSON_BOOL,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT
};

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

/*
 * A document as its bytes come: each value is told once and not kept.
 */
enum json_event_kind {
	JSON_EVENT_VALUE, /* null, bool, number or string */
	JSON_EVENT_KEY,	  /* of an object; its value's event comes next */
	JSON_EVENT_OPEN,  /* an array or object begins */
	JSON_EVENT_CLOSE,
};

struct json_event {
	enum json_event_kind kind;
	enum json_type type; /* but of a key */
	size_t depth;	     /* open containers around it, itself not counted */
	/* of a key or string, lent for the call, not NUL-terminated */
	const char *text;
	size_t len;
	bool is_whole; /* a number that is whole and fits */
	int64_t number;
	bool truth;
};

/* Negative errno ends the reading and is what json_stream_feed() returns. */
typedef int json_event_fn(void *arg, const struct json_event *ev);

/* No string or key is longer: it would be held in memory as a whole. */
#define JSON_STREAM_TEXT_MAX (1u << 20)

struct json_stream;

int json_stream_new(json_event_fn *fn, void *arg, struct json_stream **out);
/* NULL is fine. */
void json_stream_free(struct json_stream *js);
/*
 * The next bytes. 0; -EBADMSG and -E2BIG as json_parse(), the latter also for a text over
 * the ceiling; or what @fn returned, whose sentence is @fn's affair. Then only
 * json_stream_free() may follow.
 */
int json_stream_feed(struct json_stream *js, const void *data, size_t len, struct err *e);
/* No more bytes: -EBADMSG if that was not one whole document. */
int json_stream_finish(struct json_stream *js, struct err *e);

/* Appends @text as a JSON string, quotes and escapes included; bad UTF-8 becomes U+FFFD. */
int json_append_string(struct buf *b, const char *text, size_t len);

#endif
