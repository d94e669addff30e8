/* SPDX-License-Identifier: MIT */
/* What an HTTP answer says before its body. */
#ifndef REGISTRY_HTTP_HEAD_H
#define REGISTRY_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Longer URLs are not requested (signed ones reach 2 KiB), and longer fields are
 * ignored, but noted if they are a challenge.
 */
#define HTTP_URL_MAX 16384

/* Text is NULL for a field that is missing. */
struct http_head {
	int status;
	bool has_length;
	uint64_t length;
	int64_t retry_after; /* seconds from now; 0 or less: now, or the field is missing */
	char *content_type;
	char *digest;	 /* Docker-Content-Digest */
	char *challenge; /* WWW-Authenticate; several are joined by ", " */
	char *location;
	bool is_challenge_long;
	char *link; /* joined likewise */
	char *content_range;
	char *content_encoding;
	char *etag;
	char *range;   /* Range: how much of an upload has arrived, "0-99" */
	char *subject; /* OCI-Subject */
};

/* The name of the @i-th field that is kept, or NULL after the last one. */
const char *head_field(size_t i);
/* Keeps a value of that field: joins it to the earlier ones, or replaces them. */
void head_add(struct http_head *h, size_t i, const char *value);
void head_release(struct http_head *h);

#endif
