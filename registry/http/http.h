/* SPDX-License-Identifier: MIT */
/*
 * HTTP requests, made by one thread that drives curl. Apart from url.c, http.c is the
 * only file that knows curl.
 *
 * One exchange is one request and one answer: redirects, challenges and retries are the
 * callers'. The body passes through a ring, which holds the sender back when the reader
 * is slow, so memory is bounded whatever the size of the body.
 *
 * At most `connections` transfers run to one host (scheme, name and port) at a time;
 * others wait in a queue. Bulk transfers never take the last two of them. Small
 * requests go first, and spare ones, which nobody waits for yet, last.
 *
 * Errors:
 *	-ECONNREFUSED	nothing answers there: no such name, no route, refused
 *	-EPROTO		no TLS there, or no version that we support
 *	-EKEYREJECTED	TLS, but a certificate that is not trusted, theirs or ours
 *	-ETIMEDOUT	too slow
 *	-EIO		broken off, or not HTTP
 *	-EBADE		not an answer to this request (for callers; not from here)
 *	-E2BIG		a body over the ceiling of its reader
 *	-EINVAL		not an http or https URL
 *
 * All calls may be made in any thread; one transfer has one reader.
 */
#ifndef REGISTRY_HTTP_HTTP_H
#define REGISTRY_HTTP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "registry/http/transfer.h"

struct err;
struct http;

struct http_stats {
	uint64_t requests;
	uint64_t bytes; /* of bodies */
	uint64_t
		errors; /* failed exchanges, and a status of 400 or more but 401 and 404 */
	uint64_t retries; /* by http_count_retry() */
};

/*
 * @connections is the number of transfers that may run to one host, at least 1. The
 * thread is started by the first request.
 */
int http_new(unsigned connections, struct http **out, struct err *e);
/* All transfers must be closed before. NULL is fine. */
void http_free(struct http *h);
void http_stats(struct http *h, struct http_stats *out);
/*
 * Ends every transfer, now and later, with -ECANCELED: nobody needs an answer any more. Any
 * thread.
 */
void http_cancel(struct http *h);
/* Sleeps for @ms. False, at once, after http_cancel(). */
bool http_sleep(struct http *h, int64_t ms);
/* Counts a request that is made because another one failed. */
void http_count_retry(struct http *h);

/* How to connect to a host: what it must prove, and what we prove to it. */
struct http_tls {
	const char *ca_pem;    /* certificates trusted beside the system's; NULL */
	const char *cert_file; /* ours; NULL */
	const char *key_file;  /* NULL */
	bool insecure;	       /* accept any certificate */
	const char *const
		*headers;    /* "Name: value" for each request, then NULL; or NULL */
	unsigned connect_ms; /* 0: the default */
};

#define HTTP_TO_THE_END UINT64_MAX

/* What a request sends, if it changes something. The bytes are copied. */
struct http_upload {
	const char *method; /* "POST", "PUT", "PATCH" */
	const void *data;
	size_t len;
	const char *type;     /* Content-Type; not NULL */
	const char *range;    /* Content-Range; NULL */
	const char *if_match; /* the ETag that is to be replaced; NULL */
};

/* Borrowed until http_open() or http_begin() returns. NULL members are not sent. */
struct http_request {
	const char *url;
	const char *accept;
	const char *authorization; /* secret */
	const char *referer;
	const char *form; /* secret; makes it a POST */
	const struct http_upload *upload;
	bool head;
	bool has_range;
	uint64_t first, last; /* inclusive; last may be HTTP_TO_THE_END */
	bool bulk;
	bool spare; /* and bulk: at most HTTP_SPARE_MAX bytes, stored until they are read */
	const struct http_tls *tls;
};

/*
 * Sends the request and waits for the head of the answer, until *@until, as
 * transfer_await() does. The caller closes the transfer.
 */
int http_open(struct http *h, const struct http_request *rq, int64_t *until,
	      struct transfer **out, struct err *e);
/* Queues the request; transfer_await() is to follow. -EAGAIN: too many spare ones. */
int http_begin(struct http *h, const struct http_request *rq, struct transfer **out,
	       struct err *e);

#endif
