/* SPDX-License-Identifier: MIT */
#include "fs/ctl/storage_conf.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"

#define KEY   "additionalimagestores"
#define TABLE "storage.options"

/* Where things are in the text, as offsets. */
struct found {
	size_t table; /* the end of the line [TABLE], with its line end; 0: there is none */
	size_t array;	  /* behind the "[" of the value of KEY; 0: there is none */
	size_t array_end; /* its "]" */
	bool in_table;	  /* while it is read */
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static const char *skip_blanks(const char *p, const char *end)
{
	while (p < end && is_blank(*p))
		p++;
	return p;
}

/* The length of the bare key, or with @dots the name of a table, at @p. */
static size_t word_length(const char *p, const char *end, bool dots)
{
	const char *start = p;

	while (p < end && ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
			   (*p >= '0' && *p <= '9') || *p == '_' || *p == '-' ||
			   (dots && *p == '.')))
		p++;
	return (size_t)(p - start);
}

static bool is_word(const char *p, size_t len, const char *word)
{
	return len == strlen(word) && memcmp(p, word, len) == 0;
}

/*
 * The end of the string that begins with a quote at @p, behind its own. NULL: it has escapes,
 * does not end in the line, or may be one of several lines.
 */
static const char *string_end(const char *p, const char *end)
{
	char quote = *p++;
	const char *start = p;

	while (p < end && *p != quote && *p != '\n' && *p != '\\')
		p++;
	if (p == end || *p != quote || (p == start && p + 1 < end && p[1] == quote))
		return NULL;
	return p + 1;
}

/* The "]" of the array of strings that begins behind its "[" at @p; comments may be in it. */
static const char *array_end(const char *p, const char *end)
{
	while (p && p < end && *p != ']') {
		if (*p == '"' || *p == '\'')
			p = string_end(p, end);
		else if (*p == '#')
			p = memchr(p, '\n', (size_t)(end - p));
		else if (is_blank(*p) || *p == '\n' || *p == ',')
			p++;
		else
			return NULL;
	}
	return p && p < end ? p : NULL;
}

/* Behind the line that has nothing but blanks and a comment at @p; NULL: it has more. */
static const char *line_end(const char *p, const char *end)
{
	const char *newline;

	p = skip_blanks(p, end);
	if (p < end && *p != '#' && *p != '\n')
		return NULL;
	newline = p < end ? memchr(p, '\n', (size_t)(end - p)) : NULL;
	return newline ? newline + 1 : end;
}

/* Behind the line of the table's name, which begins behind its "[" at @p. NULL: not usual. */
static const char *take_table(const struct buf *text, const char *p, struct found *f)
{
	const char *end = text->data + text->len;
	size_t len = word_length(p, end, true);
	const char *rest = p + len < end && len > 0 && p[len] == ']'
				   ? line_end(p + len + 1, end)
				   : NULL;

	f->in_table = is_word(p, len, TABLE);
	if (!f->in_table || !rest)
		return rest;
	if (f->table)
		return NULL; /* twice */
	f->table = (size_t)(rest - text->data);
	return rest;
}

/* The same of a key and its value. */
static const char *take_key(const struct buf *text, const char *p, struct found *f)
{
	const char *end = text->data + text->len, *value;
	size_t len = word_length(p, end, false);
	bool is_key = is_word(p, len, KEY);

	value = skip_blanks(p + len, end);
	if (len == 0 || value == end || *value != '=')
		return NULL;
	value = skip_blanks(value + 1, end);
	if (value == end || (is_key && (*value != '[' || f->array || !f->in_table)))
		return NULL;
	if (*value == '"' || *value == '\'')
		p = string_end(value, end);
	else if (*value == '[')
		p = array_end(value + 1, end);
	else
		p = value + word_length(value, end, true);
	if (!p || p == value)
		return NULL;
	if (is_key) {
		f->array = (size_t)(value + 1 - text->data);
		f->array_end = (size_t)(p - text->data);
	}
	return line_end(p + (*value == '['), end);
}

static int find(const struct buf *text, struct found *f, struct err *e)
{
	const char *p = buf_text(text), *end = p + text->len, *line, *rest;
	unsigned n = 0;

	*f = (struct found){.table = 0};
	while (p < end) {
		line = p;
		p = skip_blanks(p, end);
		rest = line_end(p, end);
		if (!rest)
			rest = *p == '[' ? take_table(text, p + 1, f)
					 : take_key(text, p, f);
		if (!rest) {
			for (p = buf_text(text); p <= line && p < end; p++)
				n += p == buf_text(text) || p[-1] == '\n';
			return err_set(e, -ENOTSUP,
				       "line %u is not in a form that is safe to change",
				       n);
		}
		p = rest;
	}
	return 0;
}

int storage_conf_quote(struct buf *out, const char *text)
{
	int rc = buf_append(out, "\"", 1);

	for (; rc == 0 && *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < 0x20 || c == 0x7f)
			rc = buf_printf(out, "\\u%04x", c);
		else if (c == '"' || c == '\\')
			rc = buf_printf(out, "\\%c", c);
		else
			rc = buf_append(out, text, 1);
	}
	return rc == 0 ? buf_append(out, "\"", 1) : rc;
}

/* Is the quoted @store one of the strings from @p to @end? */
static bool has_string(const char *p, const char *end, const struct buf *store)
{
	const char *line_end;

	while (p < end) {
		if (*p == '#') {
			line_end = memchr(p, '\n', (size_t)(end - p));
			p = line_end ? line_end : end;
			continue;
		}
		if (*p == '"') {
			const char *close = memchr(p + 1, '"', (size_t)(end - p - 1));

			if (!close)
				return false;
			if ((size_t)(close + 1 - p) == store->len &&
			    memcmp(p, store->data, store->len) == 0)
				return true;
			p = close;
		}
		p++;
	}
	return false;
}

static bool is_empty(const char *p, const char *end)
{
	while (p < end && (is_blank(*p) || *p == '\n'))
		p++;
	return p == end;
}

/* Appends the text with @insert between its first @at bytes and the others. */
static int insert_at(const struct buf *text, size_t at, const struct buf *insert,
		     struct buf *out)
{
	int rc = buf_append(out, buf_text(text), at);

	if (rc == 0)
		rc = buf_append(out, insert->data, insert->len);
	return rc < 0 ? rc : buf_append(out, buf_text(text) + at, text->len - at);
}

static int write_insert(const struct buf *text, const struct found *f,
			const struct buf *store, struct buf *insert)
{
	const char *p = buf_text(text);
	bool is_open = text->len > 0 && p[text->len - 1] != '\n';

	if (f->array)
		return buf_printf(insert, "%s%s", store->data,
				  is_empty(p + f->array, p + f->array_end) ? "" : ", ");
	return buf_printf(insert, "%s%s" KEY " = [%s]\n",
			  is_open && (!f->table || f->table == text->len) ? "\n" : "",
			  f->table ? "" : "[" TABLE "]\n", store->data);
}

int storage_conf_add(const struct buf *text, const char *store, struct buf *out,
		     struct err *e)
{
	const char *p = buf_text(text);
	struct buf quoted, insert;
	struct found f;
	size_t at;
	int rc = find(text, &f, e);

	buf_init(&quoted, STORAGE_CONF_MAX);
	buf_init(&insert, STORAGE_CONF_MAX);
	if (rc == 0)
		rc = storage_conf_quote(&quoted, store);
	if (rc == 0 && f.array && has_string(p + f.array, p + f.array_end, &quoted))
		goto out;
	if (rc == 0)
		rc = write_insert(text, &f, &quoted, &insert);
	at = f.array ? f.array : f.table ? f.table : text->len;
	if (rc == 0)
		rc = insert_at(text, at, &insert, out);
	rc = rc < 0 ? rc : 1;
out:
	buf_release(&quoted);
	buf_release(&insert);
	return rc;
}
