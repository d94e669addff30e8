/* SPDX-License-Identifier: MIT */
/*
 * Debian 12 has TOML libraries for C++, but none for C, and the two files need only a small part
 * of the language.
 *
 * Supported: comments, [tables] and [[arrays of tables]], bare, quoted and dotted keys,
 * all four kinds of strings, booleans, arrays, inline tables. Numbers and dates are
 * passed on as text. Duplicate keys and tables are not detected; the last one wins.
 *
 * Every parse function leaves the cursor after what it has parsed. The path of the current
 * value is a stack of words: first those of the table, then those of the key.
 */
#include "registry/config/toml.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"

struct parser {
	const char *at, *end, *start;
	toml_fn *fn;
	void *arg;
	struct err *e;
	char words[TOML_DEPTH_MAX][TOML_TEXT_MAX];
	const char *path[TOML_DEPTH_MAX];
	size_t depth; /* words in use */
	char text[TOML_TEXT_MAX];
};

static int toml_error(struct parser *p, const char *why)
{
	size_t line = 1;
	const char *c;

	for (c = p->start; c < p->at && c < p->end; c++)
		line += *c == '\n';
	return err_set(p->e, -EBADMSG, "line %zu: %s", line, why);
}

static char toml_peek(const struct parser *p)
{
	return p->at < p->end ? *p->at : '\0';
}

static bool toml_starts(const struct parser *p, const char *text)
{
	size_t len = strlen(text);

	return (size_t)(p->end - p->at) >= len && memcmp(p->at, text, len) == 0;
}

static void skip_blanks(struct parser *p)
{
	while (p->at < p->end && (*p->at == ' ' || *p->at == '\t'))
		p->at++;
}

/* Blanks, line ends and comments. */
static void skip_space(struct parser *p)
{
	for (;;) {
		skip_blanks(p);
		if (toml_peek(p) == '#') {
			while (p->at < p->end && *p->at != '\n')
				p->at++;
		} else if (p->at < p->end && (*p->at == '\n' || *p->at == '\r')) {
			p->at++;
		} else {
			return;
		}
	}
}

static int end_of_line(struct parser *p)
{
	skip_blanks(p);
	if (p->at < p->end && *p->at != '\n' && *p->at != '\r' && *p->at != '#')
		return toml_error(p, "unexpected text after the value");
	return 0;
}

/* Strings */

static int toml_put(struct parser *p, char *out, size_t *n, char c)
{
	if (*n + 1 >= TOML_TEXT_MAX)
		return toml_error(p, "a string that is too long");
	out[(*n)++] = c;
	return 0;
}

static int toml_put_utf8(struct parser *p, char *out, size_t *n, uint32_t c)
{
	static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
	int size = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4, i, rc = 0;

	if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return toml_error(p, "an escape that is not a character");
	if (size == 1)
		return toml_put(p, out, n, (char)c);
	for (i = size - 1; i >= 0 && rc == 0; i--) {
		unsigned char bits = (unsigned char)(c >> 6 * i & 0x3f);

		rc = toml_put(p, out, n,
			      (char)(i == size - 1 ? lead[size] | bits : 0x80 | bits));
	}
	return rc;
}

static int parse_escape(struct parser *p, char *out, size_t *n)
{
	static const char letters[] = "btnfr\"\\e", plain[] = "\b\t\n\f\r\"\\\x1b";
	char c = toml_peek(p);
	const char *known = c ? strchr(letters, c) : NULL;
	int digits = c == 'u' ? 4 : c == 'U' ? 8 : 0;
	uint32_t v = 0;

	p->at++;
	if (known)
		return toml_put(p, out, n, plain[known - letters]);
	if (!digits)
		return toml_error(p, "an unknown escape");
	for (; digits > 0; digits--, p->at++) {
		c = toml_peek(p);
		if (c >= '0' && c <= '9')
			v = v << 4 | (uint32_t)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			v = v << 4 | (uint32_t)((c | 0x20) - 'a' + 10);
		else
			return toml_error(p, "an escape that is not a character");
	}
	return toml_put_utf8(p, out, n, v);
}

/* At a quote of either kind: one line, or many lines between three quotes. */
static int parse_string(struct parser *p, char *out)
{
	char quote = *p->at;
	const char *close = quote == '"' ? "\"\"\"" : "'''";
	bool many = toml_starts(p, close);
	size_t n = 0;
	int rc = 0;

	p->at += many ? 3 : 1;
	if (many && toml_peek(p) == '\r')
		p->at++;
	if (many && toml_peek(p) == '\n')
		p->at++;
	while (rc == 0) {
		if (p->at >= p->end || (!many && *p->at == '\n'))
			return toml_error(p, "a string without its closing quote");
		if (many ? toml_starts(p, close) : *p->at == quote)
			break;
		if (*p->at == '\\' && quote == '"') {
			p->at++;
			if (many && (toml_peek(p) == '\n' || toml_peek(p) == '\r' ||
				     toml_peek(p) == ' '))
				while (p->at < p->end && strchr(" \t\r\n", *p->at) &&
				       *p->at)
					p->at++;
			else
				rc = parse_escape(p, out, &n);
		} else if (*p->at == '\0') {
			rc = toml_error(p, "a NUL in a string");
		} else {
			rc = toml_put(p, out, &n, *p->at++);
		}
	}
	if (rc == 0)
		p->at += many ? 3 : 1;
	out[n] = '\0';
	return rc;
}

/* Keys */

static bool is_bare(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static int parse_word(struct parser *p)
{
	char *out;
	size_t n = 0;
	int rc = 0;

	if (p->depth == TOML_DEPTH_MAX)
		return toml_error(p, "tables nested too deeply");
	out = p->words[p->depth];
	if (toml_peek(p) == '"' || toml_peek(p) == '\'') {
		rc = parse_string(p, out);
	} else {
		while (rc == 0 && p->at < p->end && is_bare(*p->at))
			rc = toml_put(p, out, &n, *p->at++);
		out[n] = '\0';
		if (rc == 0 && n == 0)
			return toml_error(p, "a key was expected");
	}
	p->path[p->depth++] = out;
	return rc;
}

/* a."b".c: pushes the words on the path. */
static int parse_key(struct parser *p)
{
	int rc;

	for (;;) {
		skip_blanks(p);
		rc = parse_word(p);
		if (rc < 0)
			return rc;
		skip_blanks(p);
		if (toml_peek(p) != '.')
			return 0;
		p->at++;
	}
}

/* Values */

static int toml_emit(struct parser *p, enum toml_what what, size_t at, const char *text,
		     bool truth)
{
	struct toml_item item = {
		.what = what,
		.path = p->path,
		.depth = p->depth,
		.at = at,
		.text = text,
		.truth = truth,
	};

	return p->fn(p->arg, &item);
}

/* @level: arrays and inline tables around the value, limited like paths. */
static int parse_value(struct parser *p, size_t at, bool in_array, unsigned level);

static int parse_pair(struct parser *p, unsigned level)
{
	size_t depth = p->depth;
	int rc = parse_key(p);

	if (rc == 0 && toml_peek(p) != '=')
		rc = toml_error(p, "a key without its =");
	if (rc == 0) {
		p->at++;
		skip_blanks(p);
		rc = parse_value(p, 0, false, level);
	}
	p->depth = depth;
	return rc;
}

static int parse_inline_table(struct parser *p, bool in_array, unsigned level)
{
	int rc = toml_emit(p, in_array ? TOML_NEW_TABLE : TOML_TABLE, 0, NULL, false);

	p->at++;
	skip_space(p);
	while (rc == 0 && toml_peek(p) != '}') {
		rc = parse_pair(p, level + 1);
		skip_space(p);
		if (rc == 0 && toml_peek(p) == ',') {
			p->at++;
			skip_space(p);
		} else if (rc == 0 && toml_peek(p) != '}') {
			rc = toml_error(p, "an inline table without its closing brace");
		}
	}
	if (rc == 0)
		p->at++;
	return rc;
}

static int parse_array(struct parser *p, unsigned level)
{
	size_t at = 0;
	int rc = 0;

	p->at++;
	skip_space(p);
	while (rc == 0 && toml_peek(p) != ']') {
		rc = parse_value(p, at++, true, level + 1);
		skip_space(p);
		if (rc == 0 && toml_peek(p) == ',') {
			p->at++;
			skip_space(p);
		} else if (rc == 0 && toml_peek(p) != ']') {
			rc = toml_error(p, "an array without its closing bracket");
		}
	}
	if (rc == 0)
		p->at++;
	return rc;
}

static int parse_plain(struct parser *p, size_t at)
{
	size_t n = 0;
	int rc = 0;

	while (rc == 0 && p->at < p->end && *p->at && !strchr(" \t\r\n,]}#", *p->at))
		rc = toml_put(p, p->text, &n, *p->at++);
	p->text[n] = '\0';
	if (rc < 0 || n == 0)
		return rc < 0 ? rc : toml_error(p, "a value was expected");
	if (strcmp(p->text, "true") == 0 || strcmp(p->text, "false") == 0)
		return toml_emit(p, TOML_BOOL, at, p->text, p->text[0] == 't');
	if (!strchr("+-0123456789in", p->text[0]))
		return toml_error(p, "a string without quotes");
	return toml_emit(p, TOML_OTHER, at, p->text, false);
}

static int parse_value(struct parser *p, size_t at, bool in_array, unsigned level)
{
	int rc;

	if (level > TOML_DEPTH_MAX)
		return toml_error(p, "values nested too deeply");
	switch (toml_peek(p)) {
	case '"':
	case '\'':
		rc = parse_string(p, p->text);
		return rc < 0 ? rc : toml_emit(p, TOML_STRING, at, p->text, false);
	case '[':
		return parse_array(p, level);
	case '{':
		return parse_inline_table(p, in_array, level);
	default:
		return parse_plain(p, at);
	}
}

/* [a.b] or [[a.b]]: sets the path. */
static int parse_header(struct parser *p)
{
	bool many = toml_starts(p, "[[");
	int rc;

	p->at += many ? 2 : 1;
	p->depth = 0;
	rc = parse_key(p);
	if (rc == 0 && !toml_starts(p, many ? "]]" : "]"))
		rc = toml_error(p, "a table name without its closing bracket");
	if (rc < 0)
		return rc;
	p->at += many ? 2 : 1;
	rc = end_of_line(p);
	return rc < 0 ? rc
		      : toml_emit(p, many ? TOML_NEW_TABLE : TOML_TABLE, 0, NULL, false);
}

int toml_parse(const char *text, size_t len, toml_fn *fn, void *arg, struct err *e)
{
	/* 36 KiB of stack; our threads have megabytes. */
	struct parser p = {.at = text,
			   .end = text + len,
			   .start = text,
			   .fn = fn,
			   .arg = arg,
			   .e = e};
	int rc = 0;

	if (toml_starts(&p, "\xef\xbb\xbf"))
		p.at += 3;
	for (skip_space(&p); rc == 0 && p.at < p.end; skip_space(&p)) {
		if (*p.at == '[') {
			rc = parse_header(&p);
		} else {
			rc = parse_pair(&p, 0);
			if (rc == 0)
				rc = end_of_line(&p);
		}
	}
	return rc;
}

bool toml_is(const struct toml_item *item, size_t n, ...)
{
	bool same = item->depth == n;
	va_list ap;
	size_t i;

	va_start(ap, n);
	for (i = 0; i < n && same; i++)
		same = strcmp(item->path[i], va_arg(ap, const char *)) == 0;
	va_end(ap);
	return same;
}
