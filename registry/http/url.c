/* SPDX-License-Identifier: MIT */
#include "registry/http/url.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <curl/urlapi.h>

#include "base/buf.h"
#include "registry/http/head.h"

int url_join(const char *base, const char *link, struct buf *out)
{
	CURLU *u = curl_url();
	char *text = NULL;
	int rc = -EINVAL;

	if (!u)
		return -ENOMEM;
	/* Setting a second URL resolves it against the first. */
	if (curl_url_set(u, CURLUPART_URL, base, 0) == CURLUE_OK &&
	    curl_url_set(u, CURLUPART_URL, link, CURLU_URLENCODE) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_URL, &text, 0) == CURLUE_OK)
		rc = buf_append_text(out, text);
	curl_free(text);
	curl_url_cleanup(u);
	return rc;
}

int url_origin(const char *url, struct buf *out)
{
	char *scheme = NULL, *host = NULL, *port = NULL, *c;
	CURLU *u = curl_url();
	int rc = -EINVAL;

	if (!u)
		return -ENOMEM;
	if (strlen(url) <= HTTP_URL_MAX &&
	    curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK &&
	    (strcasecmp(scheme, "http") == 0 || strcasecmp(scheme, "https") == 0)) {
		for (c = host; *c; c++) {
			if (*c >= 'A' && *c <= 'Z')
				*c = (char)(*c + 'a' - 'A');
		}
		rc = buf_printf(out, "%s://%s:%s", scheme, host, port);
	}
	curl_free(scheme);
	curl_free(host);
	curl_free(port);
	curl_url_cleanup(u);
	return rc;
}

bool url_has_origin(const char *url, const char *other)
{
	struct buf a, b;
	bool same;

	buf_init(&a, HTTP_URL_MAX);
	buf_init(&b, HTTP_URL_MAX);
	same = url_origin(url, &a) == 0 && url_origin(other, &b) == 0 &&
	       strcmp(buf_text(&a), buf_text(&b)) == 0;
	buf_release(&a);
	buf_release(&b);
	return same;
}

const char *url_show(const char *url, char *out)
{
	size_t scheme = strcspn(url, ":/?#"), len, port;
	const char *host = url + scheme, *at;

	if (strncmp(host, "://", 3) != 0) {
		snprintf(out, URL_SHOWN_MAX, "%.*s...",
			 url[scheme] == ':' ? (int)scheme + 1 : 0, url);
		return out;
	}
	host += 3;
	len = strcspn(host, "/?#");
	at = memrchr(host, '@', len);
	len -= at ? (size_t)(at + 1 - host) : 0;
	host = at ? at + 1 : host;
	/* What is no port may be a password with a slash in it. */
	for (port = len; port > 0 && isdigit((unsigned char)host[port - 1]); port--)
		;
	if (port == 0 || host[port - 1] != ':')
		len = *host == '[' ? len : strcspn(host, ":/?#");
	snprintf(out, URL_SHOWN_MAX, "%.*s://%.*s%s", (int)scheme, url, (int)len, host,
		 host[len] ? "/..." : "");
	return out;
}

int url_escape(struct buf *out, const char *text)
{
	char *escaped = curl_easy_escape(NULL, text, (int)strlen(text));
	int rc = escaped ? buf_append_text(out, escaped) : -ENOMEM;

	curl_free(escaped);
	return rc;
}

int url_unescape(struct buf *out, const char *text)
{
	char *plain = curl_easy_unescape(NULL, text, 0, NULL);
	int rc = plain ? buf_append_text(out, plain) : -ENOMEM;

	curl_free(plain);
	return rc;
}

int url_query(struct buf *url, const char *name, const char *value)
{
	int rc = buf_printf(url, "%c%s=", strchr(buf_text(url), '?') ? '&' : '?', name);

	return rc < 0 ? rc : url_escape(url, value);
}
