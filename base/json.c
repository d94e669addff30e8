/* SPDX-License-Identifier: MIT */
/*
 * yajl's event parser with ceilings, and a tree over it. yajl's own tree builder has no
 * depth limit and stops at the first of two equal keys; both matter for foreign documents.
 *
 * A value under construction is kept by its parent from the start, so a failure at
 * any event leaves one tree that json_free() takes down. Freeing recurses, at most
 * JSON_DEPTH_MAX deep. Cost: one allocation a value, one a text, and arrays that
 * double. An array of one-digit numbers is what costs most: about 25 times its text.
 */
#include "base/json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <yajl/yajl_parse.h>

#include "base/array.h"
#include "base/buf.h"
#include "base/control.h"
#include "base/err.h"

/* Small, as there may be millions: type says which member of the union counts. */
struct json {
	uint8_t type;
	bool truth;
	bool has_number; /* a whole number that fits */
	uint32_t count;	 /* of a container; see is_full() */
	union {
		int64_t number;
		/* NULL if the string holds a NUL; also of a number without has_number */
		char *text;
		struct {
			struct json **values;
			char **keys; /* of an object: as many as values */
		};
	};
};

/* Events */

/* yajl keeps a token that a feed has cut, so it gets no more than this at once. */
#define FEED_MAX (64 * 1024)

struct json_stream {
	yajl_handle yajl;
	json_event_fn *fn;
	void *arg;
	size_t depth;
	size_t silent; /* bytes since the last event */
	bool is_begun; /* the root value has come */
	int rc;
};

static int tell(struct json_stream *js, struct json_event *ev)
{
	js->silent = 0;
	js->is_begun = true;
	ev->depth = js->depth;
	js->rc = js->fn(js->arg, ev);
	return js->rc == 0;
}

static int on_null(void *arg)
{
	return tell(arg, &(struct json_event){.type = JSON_NULL});
}

static int on_bool(void *arg, int value)
{
	return tell(arg, &(struct json_event){.type = JSON_BOOL, .truth = value != 0});
}

/* yajl checked the grammar; what has a fraction or an exponent is not whole here. */
static int on_number(void *arg, const char *text, size_t len)
{
	struct json_event ev = {.type = JSON_NUMBER, .text = text, .len = len};
	char digits[32], *end;

	if (len < sizeof(digits)) {
		memcpy(digits, text, len);
		digits[len] = '\0';
		errno = 0;
		ev.number = strtoll(digits, &end, 10);
		ev.is_whole = errno == 0 && *end == '\0';
	}
	return tell(arg, &ev);
}

static int on_string(void *arg, const unsigned char *text, size_t len)
{
	return tell(arg, &(struct json_event){.type = JSON_STRING,
					      .text = (const char *)text,
					      .len = len});
}

static int on_key(void *arg, const unsigned char *text, size_t len)
{
	return tell(arg, &(struct json_event){.kind = JSON_EVENT_KEY,
					      .text = (const char *)text,
					      .len = len});
}

static int open_container(struct json_stream *js, enum json_type type)
{
	if (js->depth == JSON_DEPTH_MAX) {
		js->rc = -E2BIG;
		return 0;
	}
	if (!tell(js, &(struct json_event){.kind = JSON_EVENT_OPEN, .type = type}))
		return 0;
	js->depth++;
	return 1;
}

static int close_container(struct json_stream *js, enum json_type type)
{
	js->depth--;
	return tell(js, &(struct json_event){.kind = JSON_EVENT_CLOSE, .type = type});
}

static int on_object(void *arg)
{
	return open_container(arg, JSON_OBJECT);
}

static int on_array(void *arg)
{
	return open_container(arg, JSON_ARRAY);
}

static int on_object_end(void *arg)
{
	return close_container(arg, JSON_OBJECT);
}

static int on_array_end(void *arg)
{
	return close_container(arg, JSON_ARRAY);
}

int json_stream_new(json_event_fn *fn, void *arg, struct json_stream **out)
{
	static const yajl_callbacks callbacks = {
		.yajl_null = on_null,
		.yajl_boolean = on_bool,
		.yajl_number = on_number,
		.yajl_string = on_string,
		.yajl_start_map = on_object,
		.yajl_map_key = on_key,
		.yajl_end_map = on_object_end,
		.yajl_start_array = on_array,
		.yajl_end_array = on_array_end,
	};
	struct json_stream *js = calloc(1, sizeof(*js));

	if (!js)
		return -ENOMEM;
	js->fn = fn;
	js->arg = arg;
	js->yajl = yajl_alloc(&callbacks, NULL, js);
	if (!js->yajl) {
		free(js);
		return -ENOMEM;
	}
	*out = js;
	return 0;
}

void json_stream_free(struct json_stream *js)
{
	if (!js)
		return;
	yajl_free(js->yajl);
	free(js);
}

static int stream_failure(struct json_stream *js, const void *data, size_t len,
			  struct err *e)
{
	unsigned char *why;
	int rc;

	if (js->rc == -E2BIG && js->depth == JSON_DEPTH_MAX)
		return err_set(e, -E2BIG, "JSON nested deeper than %d levels",
			       JSON_DEPTH_MAX);
	if (js->rc < 0)
		return js->rc;
	why = yajl_get_error(js->yajl, 0, data, len);
	rc = err_set(e, -EBADMSG, "not valid JSON: %.*s",
		     why ? (int)strcspn((char *)why, "\n") : 100,
		     why ? (char *)why : "cut short");
	if (why)
		yajl_free_error(js->yajl, why);
	return rc;
}

static int feed(struct json_stream *js, const void *data, size_t len, struct err *e)
{
	js->silent += len;
	if (yajl_parse(js->yajl, data, len) != yajl_status_ok)
		return stream_failure(js, data, len, e);
	return 0;
}

int json_stream_feed(struct json_stream *js, const void *data, size_t len, struct err *e)
{
	const char *p = data;
	int rc = 0;

	while (rc == 0 && len > 0) {
		size_t n = len < FEED_MAX ? len : FEED_MAX;

		rc = feed(js, p, n, e);
		if (rc == 0 && js->silent > JSON_STREAM_TEXT_MAX)
			rc = err_set(e, -E2BIG, "a JSON text of more than %u bytes",
				     JSON_STREAM_TEXT_MAX);
		p += n;
		len -= n;
	}
	return rc;
}

int json_stream_finish(struct json_stream *js, struct err *e)
{
	if (yajl_complete_parse(js->yajl) != yajl_status_ok)
		return stream_failure(js, NULL, 0, e);
	if (!js->is_begun)
		return err_set(e, -EBADMSG, "not valid JSON: cut short");
	return 0;
}

/* The tree */

struct builder {
	struct json *stack[JSON_DEPTH_MAX]; /* the open containers, outermost first */
	size_t depth;
	struct json *root;
	char *key; /* read, its value to come */
};

static int json_grow(struct json *j)
{
	int rc = j->count < UINT32_MAX
			 ? array_grow(&j->values, j->count, sizeof(*j->values))
			 : -ENOMEM;

	if (rc == 0 && j->type == JSON_OBJECT)
		rc = array_grow(&j->keys, j->count, sizeof(*j->keys));
	return rc;
}

/* A new value in the innermost container, or the root. NULL: out of memory. */
static struct json *json_add(struct builder *b, enum json_type type)
{
	struct json *parent = b->depth ? b->stack[b->depth - 1] : NULL;
	struct json *j = calloc(1, sizeof(*j));

	if (!j || (parent && json_grow(parent) < 0)) {
		free(j);
		return NULL;
	}
	j->type = (uint8_t)type;
	if (!parent) {
		b->root = j;
		return j;
	}
	parent->values[parent->count] = j;
	if (parent->type == JSON_OBJECT) {
		parent->keys[parent->count] = b->key;
		b->key = NULL;
	}
	parent->count++;
	return j;
}

static char *copy_text(const char *text, size_t len)
{
	char *copy = malloc(len + 1);

	if (copy) {
		memcpy(copy, text, len);
		copy[len] = '\0';
	}
	return copy;
}

/* A key with a NUL inside is cut there: no caller asks for one. */
static int build_key(struct builder *b, const struct json_event *ev)
{
	b->key = copy_text(ev->text, ev->len);
	return b->key ? 0 : -ENOMEM;
}

static int build(void *arg, const struct json_event *ev)
{
	struct builder *b = arg;
	struct json *j;

	if (ev->kind == JSON_EVENT_KEY)
		return build_key(b, ev);
	if (ev->kind == JSON_EVENT_CLOSE) {
		b->depth--;
		return 0;
	}
	j = json_add(b, ev->type);
	if (!j)
		return -ENOMEM;
	if (ev->kind == JSON_EVENT_OPEN)
		b->stack[b->depth++] = j;
	else if (ev->type == JSON_BOOL)
		j->truth = ev->truth;
	if (ev->type == JSON_NUMBER && ev->is_whole) {
		j->has_number = true;
		j->number = ev->number;
	} else if (ev->type == JSON_NUMBER ||
		   (ev->type == JSON_STRING && !memchr(ev->text, '\0', ev->len))) {
		j->text = copy_text(ev->text, ev->len);
		return j->text ? 0 : -ENOMEM;
	}
	return 0;
}

int json_parse(const void *data, size_t len, struct json **out, struct err *e)
{
	struct json_stream *js = NULL;
	struct builder b = {0};
	int rc = json_stream_new(build, &b, &js);

	if (rc == 0)
		rc = feed(js, data, len, e);
	if (rc == 0)
		rc = json_stream_finish(js, e);
	json_stream_free(js);
	free(b.key);
	if (rc < 0)
		json_free(b.root);
	else
		*out = b.root;
	return rc == -ENOMEM ? err_set(e, rc, "out of memory") : rc;
}

void json_free(struct json *j)
{
	size_t i;

	if (!j)
		return;
	for (i = 0; i < j->count; i++) {
		json_free(j->values[i]);
		if (j->type == JSON_OBJECT)
			free(j->keys[i]);
	}
	if (j->type == JSON_OBJECT || j->type == JSON_ARRAY)
		free(j->values);
	if (j->type == JSON_OBJECT)
		free(j->keys);
	if (j->type == JSON_STRING || (j->type == JSON_NUMBER && !j->has_number))
		free(j->text);
	free(j);
}

enum json_type json_type(const struct json *j)
{
	return (enum json_type)j->type;
}

const struct json *json_member(const struct json *j, const char *key)
{
	size_t i;

	if (!j || j->type != JSON_OBJECT)
		return NULL;
	for (i = j->count; i-- > 0;) {
		if (strcmp(j->keys[i], key) == 0)
			return j->values[i];
	}
	return NULL;
}

const struct json *json_item(const struct json *j, size_t i)
{
	return j && j->type == JSON_ARRAY && i < j->count ? j->values[i] : NULL;
}

size_t json_count(const struct json *j)
{
	return j ? j->count : 0;
}

const char *json_key(const struct json *j, size_t i)
{
	return j && j->type == JSON_OBJECT && i < j->count ? j->keys[i] : NULL;
}

const struct json *json_value(const struct json *j, size_t i)
{
	return j && i < json_count(j) ? j->values[i] : NULL;
}

const char *json_string(const struct json *j)
{
	return j && j->type == JSON_STRING ? j->text : NULL;
}

const char *json_member_string(const struct json *j, const char *key)
{
	return json_string(json_member(j, key));
}

bool json_int(const struct json *j, int64_t *out)
{
	if (!j || !j->has_number)
		return false;
	*out = j->number;
	return true;
}

bool json_member_int(const struct json *j, const char *key, int64_t *out)
{
	return json_int(json_member(j, key), out);
}

const char *json_number_text(const struct json *j)
{
	return j && j->type == JSON_NUMBER && !j->has_number ? j->text : NULL;
}

bool json_is_true(const struct json *j)
{
	return j && j->truth;
}

/*
 * Bytes of the well-formed UTF-8 character at @p (RFC 3629: shortest form, no
 * surrogates, at most U+10FFFF), or 0.
 */
static size_t utf8_length(const unsigned char *p, size_t left)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t n, i;

	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		n = 2;
	else if ((p[0] & 0xf0) == 0xe0)
		n = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		n = 4;
	else
		return 0;
	if (p[0] == 0xe0)
		low = 0xa0;
	else if (p[0] == 0xed)
		high = 0x9f;
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;
	if (left < n || p[1] < low || p[1] > high)
		return 0;
	for (i = 2; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	}
	return n;
}

static int append_escaped(struct buf *b, unsigned c)
{
	static const char plain[] = "\"\\\b\f\n\r\t", letter[] = "\"\\bfnrt";
	const char *at = c < 0x80 ? memchr(plain, (int)c, sizeof(plain) - 1) : NULL;

	if (at)
		return buf_printf(b, "\\%c", letter[at - plain]);
	return buf_printf(b, "\\u%04x", c);
}

int json_append_string(struct buf *b, const char *text, size_t len)
{
	const char *p = text, *end = p + len, *run = p;
	int rc = buf_append_text(b, "\"");

	while (rc == 0 && p < end) {
		size_t n = utf8_length((const unsigned char *)p, (size_t)(end - p));
		unsigned code = (unsigned char)*p;

		if (n > 0 && code != '"' && code != '\\' && !control_len(p, end, &code)) {
			p += n;
			continue;
		}
		rc = buf_append(b, run, (size_t)(p - run));
		if (rc == 0)
			rc = n ? append_escaped(b, code)
			       : buf_append_text(b, "\xef\xbf\xbd");
		p += n ? n : 1;
		run = p;
	}
	if (rc == 0)
		rc = buf_append(b, run, (size_t)(p - run));
	return rc < 0 ? rc : buf_append_text(b, "\"");
}
