/* SPDX-License-Identifier: MIT */
#include "registry/http/answer.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/num.h"

void answer_release(struct http_head *h)
{
	free(h->content_type);
	free(h->digest);
	free(h->challenge);
	free(h->location);
	free(h->link);
	free(h->retry_after);
	free(h->content_range);
	free(h->content_encoding);
	*h = (struct http_head){0};
}

static void keep_field(char **to, const char *value, size_t len, bool join)
{
	size_t old = *to && join ? strlen(*to) : 0;
	char *text;

	if (len + old + 2 > HTTP_URL_MAX)
		return; /* too long to be meant well: as if it were not there */
	text = malloc(old + len + 3);
	if (!text)
		return;
	if (old) {
		memcpy(text, *to, old);
		memcpy(text + old, ", ", 2);
		old += 2;
	}
	memcpy(text + old, value, len);
	text[old + len] = '\0';
	free(*to);
	*to = text;
}

static void on_field(struct http_head *h, const char *name, size_t name_len,
		     const char *value, size_t len)
{
	const struct {
		const char *name;
		char **to;
		bool join;
	} fields[] = {
		{"content-type", &h->content_type, false},
		{"docker-content-digest", &h->digest, false},
		{"www-authenticate", &h->challenge, true},
		{"location", &h->location, false},
		{"link", &h->link, true},
		{"retry-after", &h->retry_after, false},
		{"content-range", &h->content_range, false},
		{"content-encoding", &h->content_encoding, false},
	};
	size_t i;

	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (strlen(fields[i].name) == name_len &&
		    strncasecmp(fields[i].name, name, name_len) == 0) {
			keep_field(fields[i].to, value, len, fields[i].join);
			return;
		}
	}
	if (name_len == 14 && strncasecmp(name, "content-length", 14) == 0)
		h->has_length = num_parse(value, len, INT64_MAX, &h->length);
}

bool answer_line(struct http_head *h, const char *line, size_t len)
{
	size_t end = len, start;
	const char *colon;

	while (end > 0 && line[end - 1] && strchr("\r\n \t", line[end - 1]))
		end--;
	if (end == 0)
		return true;
	colon = memchr(line, ':', end);
	if (end > 5 && strncmp(line, "HTTP/", 5) == 0) {
		answer_release(h);
	} else if (colon) {
		start = (size_t)(colon - line) + 1;
		while (start < end && (line[start] == ' ' || line[start] == '\t'))
			start++;
		on_field(h, line, (size_t)(colon - line), line + start, end - start);
	}
	return false;
}
