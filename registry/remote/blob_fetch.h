/* SPDX-License-Identifier: MIT */
/*
 * Requests for ranges of one blob: to the registry, to the storage that it redirects to, or to
 * the blob's own URLs. Each request gives one response, which is then read.
 *
 * Any thread may call the functions of a blob_fetch; a response belongs to one thread at a
 * time. @until is a deadline (clock_ms()) that progress moves.
 */
#ifndef REGISTRY_REMOTE_BLOB_FETCH_H
#define REGISTRY_REMOTE_BLOB_FETCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct descriptor;
struct err;
struct remote;
struct blob_fetch;
struct transfer;

/* Bytes [at, end) of the blob, being received. Plain data, owned by the caller. */
struct response {
	struct transfer *transfer; /* NULL: no request */
	uint64_t at;
	uint64_t end;
	uint64_t skip; /* bytes to drop before `at`, if the server ignored the range */
};

/* Makes no request. @remote is borrowed, @d is copied. -ENOMEM. */
int blob_fetch_new(struct remote *remote, const struct descriptor *d,
		   struct blob_fetch **out, struct err *e);
/* Accepts NULL. All responses are closed. */
void blob_fetch_free(struct blob_fetch *f);

struct remote *blob_fetch_remote(const struct blob_fetch *f);
/* Was the last range request answered with the whole blob? */
bool blob_fetch_lacks_ranges(const struct blob_fetch *f);

/*
 * Requests [first, end) and waits for the head of the response, until *@until. If the whole
 * blob comes instead, the response extends to its end. @bulk: see http.h. Errors: as
 * remote_open(); -EBADE: not the requested range, or another size than the descriptor's.
 */
int blob_fetch_request(struct blob_fetch *f, uint64_t first, uint64_t end, bool bulk,
		       int64_t *until, struct response *out, struct err *e);
/*
 * Requests [first, end) from the host that answered last, as a spare transfer (http.h),
 * without a wait. response_await() waits for the head and returns 0 only if exactly the
 * requested range comes. After any other result use blob_fetch_request(), which handles
 * expired tokens and URLs, retries and refusals. False: not possible now.
 */
bool blob_fetch_speculate(struct blob_fetch *f, uint64_t first, uint64_t end,
			  struct response *out);
int response_await(struct blob_fetch *f, struct response *p, int64_t *until,
		   struct err *e);

/*
 * The next bytes, lent until the next call. Returns their number, 0 at the end of the
 * response, which may come early, or a transport error (http.h). Moves *@until when bytes
 * arrive.
 */
ssize_t response_next(struct blob_fetch *f, struct response *p, const void **data,
		      int64_t *until, struct err *e);
/* Accepts a response without a request. */
void response_close(struct response *p);

#endif
