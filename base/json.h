/* SPDX-License-Identifier: MIT */
/*
 * Reading foreign JSON: as a tree with ceilings, or as a stream of events if it is too
 * large for a tree; and writing strings. The only file that knows yajl.
 *
 * Object keys keep their order. For a duplicate key the last value is found, as by Go's
 * decoder. All values are borrowed from the root.
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

/* More than any document of this field has, and harmless for the stack. */
#define JSON_DEPTH_MAX 64

struct json;

/*
 * Parses one document, with nothing but white space after it. 0, -EBADMSG with a sentence if
 * it is not JSON, -E2BIG above JSON_DEPTH_MAX levels, -ENOMEM.
 */
int json_parse(const void *data, size_t len, struct json **out, struct err *e);
/* For the root only. NULL is fine. */
void json_free(struct json *root);

enum json_type json_type(const struct json *j);

/* A member or item, or NULL; also if @j is NULL or of another type. */
const struct json *json_member(const struct json *j, const char *key);
const struct json *json_item(const struct json *j, size_t i);
/* The number of members or items; 0 for other types. */
size_t json_count(const struct json *j);
/* The key and value of the @i-th member; NULL if there is none. */
const char *json_key(const struct json *j, size_t i);
const struct json *json_value(const struct json *j, size_t i);

/* The text of a string; NULL if @j is not a string, or contains a NUL. */
const char *json_string(const struct json *j);
/* The same for a member. */
const char *json_member_string(const struct json *j, const char *key);
/* A whole number that fits; else false, and *out is not changed. */
bool json_int(const struct json *j, int64_t *out);
bool json_member_int(const struct json *j, const char *key, int64_t *out);
/* The text of a number that is not whole, or does not fit; NULL for others. */
const char *json_number_text(const struct json *j);
/* True only for the value true. */
bool json_is_true(const struct json *j);

/* Streams: each value is reported once as the bytes arrive, and is not stored. */
enum json_event_kind {
	JSON_EVENT_VALUE, /* null, bool, number or string */
	JSON_EVENT_KEY,	  /* of an object; the event of its value follows */
	JSON_EVENT_OPEN,  /* an array or object begins */
	JSON_EVENT_CLOSE,
};

struct json_event {
	enum json_event_kind kind;
	enum json_type type; /* except for a key */
	size_t depth;	     /* open containers around it, itself not counted */
	/* of a key, string or number; lent for the call, not NUL-terminated */
	const char *text;
	size_t len;
	bool is_whole; /* a number that is whole and fits */
	int64_t number;
	bool truth;
};

/* A negative errno ends the stream, and json_stream_feed() returns it. */
typedef int json_event_fn(void *arg, const struct json_event *ev);

/* A ceiling, because a string or key is stored in memory as a whole. */
#define JSON_STREAM_TEXT_MAX (1u << 20)

struct json_stream;

int json_stream_new(json_event_fn *fn, void *arg, struct json_stream **out);
/* NULL is fine. */
void json_stream_free(struct json_stream *js);
/*
 * Parses the next bytes. 0; -EBADMSG or -E2BIG as json_parse(), the latter also for a
 * string above JSON_STREAM_TEXT_MAX; or what @fn returned, in which case @e is not written.
 * After an error, only json_stream_free() may follow.
 */
int json_stream_feed(struct json_stream *js, const void *data, size_t len, struct err *e);
/* The end of the bytes: -EBADMSG if they were not one complete document. */
int json_stream_finish(struct json_stream *js, struct err *e);

/*
 * Appends @text as a JSON string with quotes and escapes, also for what control_len() finds;
 * bad UTF-8 becomes U+FFFD.
 */
int json_append_string(struct buf *b, const char *text, size_t len);

#endif
