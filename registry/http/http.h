/* SPDX-License-Identifier: MIT */
/*
 * HTTP requests, made by one thread that drives curl. The only file that knows curl.
 *
 * One exchange is one request and one answer: redirects, challenges and retries are
 * the callers'. The body is handed over as it comes, through a ring that holds the
 * sender back when its reader is slow, so memory is bounded whatever the size.
 *
 * Requests to one host (scheme, name and port) share at most `connections`
 * transfers at a time; more of them wait their turn. Bulk transfers never take the
 * last two. Small requests go first, and spare ones, which nobody waits for yet, last.
 *
 * Failures, told apart so that callers can decide what to try again:
 *	-ECONNREFUSED	nobody answers there: no such name, no route, refused
 *	-EPROTO		no TLS is spoken there, or none that we speak
 *	-EKEYREJECTED	TLS, but a certificate that is not trusted, theirs or ours
 *	-ETIMEDOUT	too slow
 *	-EIO		broken off, or no HTTP
 *	-E2BIG		a body larger than was said to be read
 *	-EINVAL		not a URL that is asked
 *
 * All calls are safe in any thread; one transfer has one reader.
 */
#ifndef REGISTRY_HTTP_HTTP_H
#define REGISTRY_HTTP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "registry/http/answer.h"

struct buf;
struct err;

struct http;

struct http_stats {
	uint64_t requests;
	uint64_t bytes;	  /* of bodies */
	uint64_t errors;  /* failed exchanges, and answers of 400 and more but 401 */
	uint64_t retries; /* as their makers counted them */
};

/* @connections: at most so many transfers a host; 0 is the default. No thread yet. */
int http_new(unsigned connections, struct http **out, struct err *e);
/* All transfers must be closed. NULL is fine. */
void http_free(struct http *h);
void http_stats(struct http *h, struct http_stats *out);
/* A request is about to be made because another failed. */
void http_count_retry(struct http *h);

/* How a host proves itself, and we to it, and how else it is met. NULL members: nothing more. */
struct http_tls {
	const char *ca_pem; /* certificates trusted beside the system's, as text */
	const char *cert_file;
	const char *key_file;
	bool insecure;		    /* believe any certificate */
	const char *const *headers; /* "Name: value" for each request; the last is NULL */
	unsigned connect_ms;	    /* 0: the default */
};

#define HTTP_TO_THE_END UINT64_MAX

/* All is borrowed until http_open() returns. NULL members are not sent. */
struct http_request {
	const char *url;
	const char *accept;
	const char *authorization; /* secret */
	const char *form;	   /* secret; makes it a POST */
	bool head;
	bool has_range;
	uint64_t first, last; /* inclusive; last may be HTTP_TO_THE_END */
	bool bulk;
	bool spare; /* and bulk: at most HTTP_SPARE_MAX bytes, kept until they are read */
	const struct http_tls *tls;
};

/* So much of a body is kept for a spare transfer, which so ends without its reader. */
#define HTTP_SPARE_MAX (2u << 20)

struct transfer;

/*
 * Sends the request and waits for the head of the answer, until *@until. Time in the queue
 * does not count as long as the host sends to others: *@until is moved on by it.
 */
int http_open(struct http *h, const struct http_request *rq, int64_t *until,
	      struct transfer **out, struct err *e);
/* The same in two steps. -EAGAIN, without a sentence: there are enough spare ones. */
int http_begin(struct http *h, const struct http_request *rq, struct transfer **out,
	       struct err *e);
int transfer_await(struct transfer *t, int64_t *until, struct err *e);
/* Borrowed for the life of the transfer. */
const struct http_head *transfer_head(const struct transfer *t);
/*
 * Waits for more of the body and lends at most @max bytes of it until the next call.
 * Their number, 0 at the end of the body, or an error as above: a body shorter than
 * its Content-Length is -EIO. What is not asked for stays in the ring.
 */
ssize_t transfer_next(struct transfer *t, const void **data, size_t max, int64_t until,
		      struct err *e);
/* Breaks off what is still under way. NULL is fine. */
void transfer_close(struct transfer *t);

/* Reads the rest of the body into @body, up to its ceiling. */
int transfer_read_all(struct transfer *t, struct buf *body, int64_t until, struct err *e);

/* Appends the absolute URL that @link means on the page @base. -EINVAL if none. */
int http_url_join(const char *base, const char *link, struct buf *out);
/* Appends "scheme://host:port" of @url, in one spelling. -EINVAL for what is no http(s) URL. */
int http_url_origin(const char *url, struct buf *out);
/* Appends "name=value", the value escaped, with the ? or & that must come before. */
int http_url_query(struct buf *url, const char *name, const char *value);
/* Appends @text escaped as a value of a form. */
int http_escape(struct buf *out, const char *text);

#endif
