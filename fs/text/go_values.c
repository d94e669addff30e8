/* SPDX-License-Identifier: MIT */
#include "fs/text/go_values.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"

/* Decodes an escape sequence behind its backslash, and moves *@p behind it. */
static char unescape(const char **p)
{
	static const char letters[] = "abfnrtv", values[] = "\a\b\f\n\r\t\v";
	const char *at = strchr(letters, **p);
	char hex[3] = "";

	if (**p == 'x' && (*p)[1] && (*p)[2]) {
		memcpy(hex, *p + 1, 2);
		*p += 3;
		return (char)strtoul(hex, NULL, 16);
	}
	if (at && **p) {
		++*p;
		return values[at - letters];
	}
	return *(*p)++;
}

/*
 * The next word of a list into @word: quoted, or up to a space or the end of the list.
 * 1, 0 at the end, or negative.
 */
static int next_word(const char **p, struct buf *word)
{
	char c;
	int rc = 0;

	buf_clear(word);
	*p += strspn(*p, " ,");
	if (**p == '\0' || **p == ']')
		return 0;
	if (**p != '"') {
		size_t len = strcspn(*p, " ]");

		rc = buf_append(word, *p, len);
		*p += len;
		return rc < 0 ? rc : 1;
	}
	++*p;
	while (rc == 0 && **p && **p != '"') {
		c = *(*p)++;
		if (c == '\\' && **p)
			c = unescape(p);
		rc = buf_append(word, &c, 1);
	}
	*p += **p == '"';
	return rc < 0 ? rc : 1;
}

/* Appends the list that begins at *@p, behind its bracket, and moves *@p to its end. */
static int append_list(const char **p, struct buf *out)
{
	const char *before = "[";
	struct buf word;
	int rc;

	buf_init(&word, strlen(*p) + 1);
	while ((rc = next_word(p, &word)) > 0) {
		rc = buf_append_text(out, before);
		if (rc == 0)
			rc = json_append_string(out, word.data ? word.data : "",
						word.len);
		if (rc < 0)
			break;
		before = ", ";
	}
	buf_release(&word);
	if (rc == 0 && *before == '[')
		rc = buf_append_text(out, "[");
	return rc < 0 ? rc : buf_append_text(out, "]");
}

int go_values_list(const char *text, struct buf *out)
{
	const char *p = text;

	if (strncmp(p, "&{", 2) == 0)
		p += 2;
	if (*p++ != '[')
		return buf_append_text(out, text);
	return append_list(&p, out);
}

int go_values_words(const char *text, struct buf *out)
{
	size_t start = out->len;
	struct buf word;
	int rc;

	if (strncmp(text, "map[", 4) == 0)
		text += 4;
	else if (*text == '[')
		text++;
	buf_init(&word, strlen(text) + 1);
	while ((rc = next_word(&text, &word)) > 0) {
		const char *w = buf_text(&word), *end = strstr(w, ":{}");

		rc = buf_printf(out, "%s%.*s", out->len > start ? " " : "",
				(int)(end ? (size_t)(end - w) : strlen(w)), w);
		if (rc < 0)
			break;
	}
	buf_release(&word);
	return rc;
}

/* Go prints the number of retries as a character: '\x03'. */
static int append_retries(const char *p, struct buf *out)
{
	unsigned n;

	p += strspn(p, " ");
	if (*p++ != '\'' || !*p)
		return 0;
	if (*p == '\\') {
		p++;
		n = (unsigned char)unescape(&p);
	} else {
		n = (unsigned char)*p;
	}
	return n > 0 ? buf_printf(out, "--retries=%u ", n) : 0;
}

static int append_times(const char *p, struct buf *out)
{
	static const char *const names[] = {"interval", "timeout", "start-period",
					    "start-interval"};
	struct buf word;
	size_t i;
	int rc = 0;

	buf_init(&word, strlen(p) + 1);
	for (i = 0; rc == 0 && i < 4; i++) {
		p += strspn(p, " ");
		if (*p != '"')
			break;
		rc = next_word(&p, &word);
		if (rc > 0)
			rc = strcmp(buf_text(&word), "0s") == 0
				     ? 0
				     : buf_printf(out, "--%s=%s ", names[i],
						  buf_text(&word));
	}
	buf_release(&word);
	return rc < 0 ? rc : append_retries(p, out);
}

static int append_test(const char *p, struct buf *out)
{
	struct buf word;
	int rc;

	buf_init(&word, strlen(p) + 1);
	rc = next_word(&p, &word);
	if (rc >= 0 && strcmp(buf_text(&word), "CMD") == 0) {
		rc = buf_append_text(out, "CMD ");
		if (rc == 0)
			rc = append_list(&p, out);
	} else if (rc >= 0 && strcmp(buf_text(&word), "CMD-SHELL") == 0) {
		rc = next_word(&p, &word);
		if (rc >= 0)
			rc = buf_printf(out, "CMD %s", buf_text(&word));
	} else if (rc >= 0) {
		rc = buf_append_text(out, "NONE");
	}
	buf_release(&word);
	return rc;
}

int go_values_health(const char *text, struct buf *out)
{
	const char *test = text + 3, *p = test;
	struct buf word;
	int rc;

	if (strncmp(text, "&{[", 3) != 0)
		return buf_append_text(out, text);
	buf_init(&word, strlen(text) + 1);
	while ((rc = next_word(&p, &word)) > 0)
		;
	buf_release(&word);
	if (rc == 0)
		rc = append_times(p + (*p == ']'), out);
	return rc < 0 ? rc : append_test(test, out);
}
