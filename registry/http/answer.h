/* SPDX-License-Identifier: MIT */
/* What an HTTP answer says before its body, taken from its header line by line. */
#ifndef REGISTRY_HTTP_ANSWER_H
#define REGISTRY_HTTP_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longer URLs are not asked: signed ones reach 2 KiB. Nor are longer fields kept. */
#define HTTP_URL_MAX 16384

/* Text is NULL if not said. */
struct http_head {
	int status;
	bool has_length;
	uint64_t length;
	char *content_type;
	char *digest;	 /* Docker-Content-Digest */
	char *challenge; /* WWW-Authenticate, several joined by ", " */
	char *location;
	char *link; /* the same */
	char *retry_after;
	char *content_range;
	char *content_encoding;
};

/*
 * One line with its line end, any bytes. True for the empty one that ends the header;
 * a status line begins anew. The status itself is not taken from it.
 */
bool answer_line(struct http_head *h, const char *line, size_t len);
void answer_release(struct http_head *h);

#endif
