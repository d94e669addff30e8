/* SPDX-License-Identifier: MIT */
#include "registry/http/url.h"

#include <errno.h>
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

int url_escape(struct buf *out, const char *text)
{
	char *escaped = curl_easy_escape(NULL, text, (int)strlen(text));
	int rc = escaped ? buf_append_text(out, escaped) : -ENOMEM;

	curl_free(escaped);
	return rc;
}

int url_query(struct buf *url, const char *name, const char *value)
{
	int rc = buf_printf(url, "%c%s=", strchr(buf_text(url), '?') ? '&' : '?', name);

	return rc < 0 ? rc : url_escape(url, value);
}
