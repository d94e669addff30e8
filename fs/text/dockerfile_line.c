/* SPDX-License-Identifier: MIT */
#include "fs/text/dockerfile_line.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/control.h"

static int append_control(struct buf *out, unsigned c)
{
	if (c == '\n' || c == '\r')
		return buf_append_text(out, c == '\n' ? "\\n" : "\\r");
	return buf_printf(out, "\\u%04x", c);
}

int dockerfile_line_append(struct buf *out, const char *text, size_t len)
{
	const char *p = text, *from = text, *end = text + len;
	unsigned code;
	size_t n;
	int rc = 0;

	while (rc == 0 && p < end) {
		n = *p == '\t' ? 0 : control_len(p, end, &code);
		if (n > 0) {
			rc = buf_append(out, from, (size_t)(p - from));
			if (rc == 0)
				rc = append_control(out, code);
			from = p + n;
		}
		p += n ? n : 1;
	}
	if (rc == 0)
		rc = buf_append(out, from, (size_t)(end - from));
	return rc < 0 ? rc : buf_append_text(out, "\n");
}

int dockerfile_line_printf(struct buf *out, const char *fmt, ...)
{
	char *line;
	va_list ap;
	int rc, len;

	va_start(ap, fmt);
	len = vasprintf(&line, fmt, ap);
	va_end(ap);
	if (len < 0)
		return -ENOMEM;
	rc = dockerfile_line_append(out, line, (size_t)len);
	free(line);
	return rc;
}

/* Whether the next line would be part of this one. Two backslashes stand for one. */
static bool is_joined(const char *text, size_t len)
{
	while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t'))
		len--;
	return len > 0 && text[len - 1] == '\\' && (len == 1 || text[len - 2] != '\\');
}

int dockerfile_line_instruction(struct buf *out, struct buf *line)
{
	int rc = 0;

	if (is_joined(buf_text(line), line->len))
		rc = buf_append_text(line, "\\");
	return rc < 0 ? rc : dockerfile_line_append(out, buf_text(line), line->len);
}

/*
 * The end marker must not be a line of the text: it has one digit more than the longest of
 * the lines EOF, EOF1, EOF11 ... in the text.
 */
int dockerfile_line_script(struct buf *out, const char *text)
{
	size_t len, digits, n = 0;
	struct buf end;
	const char *p;
	int rc;

	for (p = text; *p; p += len + (p[len] == '\n')) {
		len = strcspn(p, "\n");
		if (len < 3 || strncmp(p, "EOF", 3) != 0)
			continue;
		digits = strspn(p + 3, "1");
		if (digits == len - 3 && digits >= n)
			n = digits + 1;
	}
	buf_init(&end, out->max);
	rc = buf_append_text(&end, "EOF");
	while (rc == 0 && n-- > 0)
		rc = buf_append_text(&end, "1");
	if (rc == 0)
		rc = buf_printf(out, "RUN <<%s\n", buf_text(&end));
	for (p = text; rc == 0 && *p; p += len + (p[len] == '\n')) {
		len = strcspn(p, "\n");
		rc = dockerfile_line_append(out, p, len);
	}
	if (rc == 0)
		rc = dockerfile_line_append(out, buf_text(&end), end.len);
	buf_release(&end);
	return rc;
}

bool dockerfile_line_is_script(const char *text)
{
	return strchr(text, '\n') || strstr(text, "<<") || is_joined(text, strlen(text));
}

int dockerfile_line_pair(struct buf *out, const char *pair)
{
	const char *value = strchr(pair, '=');
	int rc;

	if (!value || !value[strcspn(value, " \t\r\n\"'\\$#")])
		return buf_append_text(out, pair);
	rc = buf_printf(out, "%.*s=\"", (int)(value++ - pair), pair);
	for (; rc == 0 && *value; value++) {
		if (strchr("\"\\$", *value))
			rc = buf_append_text(out, "\\");
		if (rc == 0)
			rc = buf_append(out, value, 1);
	}
	return rc < 0 ? rc : buf_append_text(out, "\"");
}
