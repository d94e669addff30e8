/* SPDX-License-Identifier: MIT */
#include "base/jsonwrite.h"

#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"

void jsonwrite_init(struct jsonwrite *w, struct buf *out)
{
	*w = (struct jsonwrite){.out = out, .after = ':'};
}

static void jsonwrite_put(struct jsonwrite *w, const char *text, size_t len)
{
	if (w->failed == 0)
		w->failed = buf_append(w->out, text, len);
}

static void new_line(struct jsonwrite *w)
{
	unsigned i;

	jsonwrite_put(w, "\n", 1);
	for (i = 0; i < w->depth; i++)
		jsonwrite_put(w, "    ", 4);
}

/* What stands before a value, or a key. */
static void begin(struct jsonwrite *w)
{
	if (w->after == ',')
		jsonwrite_put(w, ",", 1);
	if (w->after != ':')
		new_line(w);
}

static void put_value(struct jsonwrite *w, const char *text)
{
	begin(w);
	jsonwrite_put(w, text, strlen(text));
	w->after = ',';
}

static void put_string(struct jsonwrite *w, const char *text)
{
	begin(w);
	if (w->failed == 0)
		w->failed = json_append_string(w->out, text, strlen(text));
	w->after = ',';
}

int jsonwrite_finish(struct jsonwrite *w)
{
	jsonwrite_put(w, "\n", 1);
	return w->failed;
}

void jsonwrite_open(struct jsonwrite *w, char bracket)
{
	begin(w);
	jsonwrite_put(w, &bracket, 1);
	w->depth++;
	w->after = bracket;
}

void jsonwrite_close(struct jsonwrite *w, char bracket)
{
	w->depth--;
	if (w->after == ',')
		new_line(w);
	jsonwrite_put(w, &bracket, 1);
	w->after = ',';
}

void jsonwrite_key(struct jsonwrite *w, const char *key)
{
	put_string(w, key);
	jsonwrite_put(w, ": ", 2);
	w->after = ':';
}

void jsonwrite_text(struct jsonwrite *w, const char *text)
{
	if (text)
		put_string(w, text);
	else
		put_value(w, "null");
}

void jsonwrite_number(struct jsonwrite *w, int64_t n)
{
	begin(w);
	if (w->failed == 0)
		w->failed = buf_printf(w->out, "%" PRId64, n);
	w->after = ',';
}

void jsonwrite_thousandths(struct jsonwrite *w, unsigned n)
{
	begin(w);
	if (w->failed == 0)
		w->failed = buf_printf(w->out, "%u.%03u", n / 1000, n % 1000);
	w->after = ',';
}

static void put_container(struct jsonwrite *w, const struct json *value)
{
	bool is_object = json_type(value) == JSON_OBJECT;
	size_t i, n = json_count(value);

	jsonwrite_open(w, is_object ? '{' : '[');
	for (i = 0; i < n && w->failed == 0; i++) {
		if (is_object)
			jsonwrite_key(w, json_key(value, i));
		jsonwrite_value(w, json_value(value, i));
	}
	jsonwrite_close(w, is_object ? '}' : ']');
}

void jsonwrite_value(struct jsonwrite *w, const struct json *value)
{
	int64_t n;

	switch (value ? json_type(value) : JSON_NULL) {
	case JSON_NULL:
		put_value(w, "null");
		break;
	case JSON_BOOL:
		put_value(w, json_is_true(value) ? "true" : "false");
		break;
	case JSON_NUMBER:
		if (json_int(value, &n))
			jsonwrite_number(w, n);
		else
			put_value(w, json_number_text(value));
		break;
	case JSON_STRING:
		jsonwrite_text(w, json_string(value));
		break;
	case JSON_ARRAY:
	case JSON_OBJECT:
		put_container(w, value);
		break;
	}
}

void jsonwrite_member(struct jsonwrite *w, const char *key, const char *text)
{
	jsonwrite_key(w, key);
	jsonwrite_text(w, text);
}

void jsonwrite_member_number(struct jsonwrite *w, const char *key, int64_t n)
{
	jsonwrite_key(w, key);
	jsonwrite_number(w, n);
}

void jsonwrite_member_value(struct jsonwrite *w, const char *key,
			    const struct json *value)
{
	jsonwrite_key(w, key);
	jsonwrite_value(w, value);
}
