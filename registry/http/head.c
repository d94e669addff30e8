/* SPDX-License-Identifier: MIT */
#include "registry/http/head.h"

#include <stdlib.h>
#include <string.h>

#include "base/num.h"

static const struct {
	const char *name;
	size_t at; /* of a char * in struct http_head; the length has none */
	bool is_joined;
} fields[] = {
	{"Content-Length", 0, false},
	{"Content-Type", offsetof(struct http_head, content_type), false},
	{"Docker-Content-Digest", offsetof(struct http_head, digest), false},
	{"WWW-Authenticate", offsetof(struct http_head, challenge), true},
	{"Location", offsetof(struct http_head, location), false},
	{"Link", offsetof(struct http_head, link), true},
	{"Content-Range", offsetof(struct http_head, content_range), false},
	{"Content-Encoding", offsetof(struct http_head, content_encoding), false},
	{"ETag", offsetof(struct http_head, etag), false},
	{"Range", offsetof(struct http_head, range), false},
	{"OCI-Subject", offsetof(struct http_head, subject), false},
};

#define N_FIELDS (sizeof(fields) / sizeof(fields[0]))

static char **field_text(struct http_head *h, size_t i)
{
	return (char **)(void *)((char *)h + fields[i].at);
}

const char *head_field(size_t i)
{
	return i < N_FIELDS ? fields[i].name : NULL;
}

void head_add(struct http_head *h, size_t i, const char *value)
{
	char **to = field_text(h, i), *text;
	size_t len = strlen(value), old;

	if (fields[i].at == 0) {
		h->has_length = num_parse(value, len, INT64_MAX, &h->length);
		return;
	}
	old = *to && fields[i].is_joined ? strlen(*to) : 0;
	if (len + old + 2 > HTTP_URL_MAX) {
		h->is_challenge_long |= to == &h->challenge;
		return;
	}
	text = malloc(old + len + 3);
	if (!text)
		return;
	if (old) {
		memcpy(text, *to, old);
		memcpy(text + old, ", ", 2);
		old += 2;
	}
	memcpy(text + old, value, len + 1);
	free(*to);
	*to = text;
}

void head_release(struct http_head *h)
{
	size_t i;

	for (i = 0; i < N_FIELDS; i++) {
		if (fields[i].at)
			free(*field_text(h, i));
	}
	*h = (struct http_head){0};
}
