/* SPDX-License-Identifier: MIT */
#include "registry/http/refusal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "registry/http/http.h"

/* Enough for an error document; the rest of an HTML page is not needed. */
#define BODY_MAX (16u << 10)

static const char *status_words(int status)
{
	switch (status) {
	case 400:
		return "400 Bad Request";
	case 401:
		return "401 Unauthorized";
	case 403:
		return "403 Forbidden";
	case 404:
		return "404 Not Found";
	case 405:
		return "405 Method Not Allowed";
	case 410:
		return "410 Gone";
	case 412:
		return "412 Precondition Failed";
	case 413:
		return "413 Content Too Large";
	case 416:
		return "416 Range Not Satisfiable";
	case 429:
		return "429 Too Many Requests";
	case 500:
		return "500 Internal Server Error";
	case 501:
		return "501 Not Implemented";
	case 502:
		return "502 Bad Gateway";
	case 503:
		return "503 Service Unavailable";
	case 504:
		return "504 Gateway Timeout";
	case 507:
		return "507 Insufficient Storage";
	default:
		return NULL;
	}
}

static int refusal_errno(int status)
{
	switch (status) {
	case 404:
	case 410:
		return -ENOENT;
	case 401:
	case 403:
	case 407:
		return -EACCES;
	case 405:
	case 501:
		return -ENOTSUP;
	case 412:
		return -ESTALE;
	case 413:
		return -EFBIG;
	case 507:
		return -ENOSPC;
	case 416:
		return -EBADE;
	default:
		return -EIO;
	}
}

static const char *first_text(const char *a, const char *b)
{
	return a && a[0] ? a : b && b[0] ? b : NULL;
}

/* From a registry's list of errors, or from the members that token servers send. */
static void words_of(const struct transfer *t, const struct json *j, char *out,
		     size_t max)
{
	const struct json *first = json_item(json_member(j, "errors"), 0);
	const char *code = json_member_string(first, "code");
	const char *words = json_member_string(first, "message");

	if (!first) {
		code = json_member_string(j, "error");
		words = first_text(json_member_string(j, "error_description"),
				   first_text(json_member_string(j, "details"),
					      json_member_string(j, "message")));
	}
	code = first_text(code, NULL);
	words = first_text(words, NULL);
	if ((code && transfer_repeats(t, code)) ||
	    (words && transfer_repeats(t, words))) {
		code = NULL;
		words = "its words are not shown, as they repeat a secret";
	}
	if (code || words)
		snprintf(out, max, ": %.60s%s%.160s", code ? code : "",
			 code && words ? ", " : "", words ? words : "");
}

int refusal(struct transfer *t, const char *host, int64_t until, struct err *e)
{
	int status = transfer_head(t)->status;
	const char *known = status_words(status);
	char words[240] = "", number[16];
	struct json *j = NULL;
	struct buf body;

	buf_init(&body, BODY_MAX);
	if (transfer_read_all(t, &body, until, NULL) == 0 && body.len > 0 &&
	    json_parse(body.data, body.len, &j, NULL) == 0)
		words_of(t, j, words, sizeof(words));
	json_free(j);
	buf_release(&body);
	snprintf(number, sizeof(number), "%d", status);
	return err_set(e, refusal_errno(status), "%s answers %s%s", host,
		       known ? known : number, words);
}

bool is_gzip_coding(const char *coding)
{
	return coding &&
	       (strcasecmp(coding, "gzip") == 0 || strcasecmp(coding, "x-gzip") == 0);
}

int refuse_coding(const struct transfer *t, struct err *e)
{
	const char *coding = transfer_head(t)->content_encoding;

	if (!coding || strcasecmp(coding, "identity") == 0)
		return 0;
	return err_set(e, -EBADE,
		       "sent with the content coding \"%.40s\", which was not requested",
		       coding);
}
