/* SPDX-License-Identifier: MIT */
/* URLs, by the same parser as the requests. */
#ifndef REGISTRY_HTTP_URL_H
#define REGISTRY_HTTP_URL_H

#include <stdbool.h>

struct buf;

/* Appends @link as an absolute URL, resolved against @base (RFC 3986, 5). Or -EINVAL. */
int url_join(const char *base, const char *link, struct buf *out);
/* Appends "scheme://host:port" of @url, normalised. -EINVAL for anything but http(s). */
int url_origin(const char *url, struct buf *out);
/* Have both the same scheme, host and port? False if either is not a URL. */
bool url_has_origin(const char *url, const char *other);
/* Appends "?name=value" or "&name=value", with the value escaped. */
int url_query(struct buf *url, const char *name, const char *value);
/* Appends @text escaped as the value of a form; and the other way round. */
int url_escape(struct buf *out, const char *text);
int url_unescape(struct buf *out, const char *text);

#define URL_SHOWN_MAX 256

/*
 * What a message may show of @url, which may be no URL at all: "scheme://host:port/...".
 * The user, the path and the query may be secret. Returns @out, of URL_SHOWN_MAX bytes.
 */
const char *url_show(const char *url, char *out);

#endif
