/* SPDX-License-Identifier: MIT */
/*
 * Where the bytes of one blob come from: the registry, the store that it redirects to, or
 * the blob's own URLs. One range asked is one piece, which is one answer being read.
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

/* Bytes [at, end) of the blob, on their way; plain data, the caller's. */
struct response {
	struct transfer *transfer; /* NULL: nothing is asked */
	uint64_t at;
	uint64_t end;
	uint64_t skip; /* to be dropped before it: the server ignored the range */
};

/* Makes no request. @remote outlives it; @d is copied. */
int blob_fetch_new(struct remote *remote, const struct descriptor *d,
		   struct blob_fetch **out, struct err *e);
/* NULL is fine. */
void blob_fetch_free(struct blob_fetch *s);

struct remote *blob_fetch_remote(const struct blob_fetch *s);
/* Its hosts have answered a range with all of the blob. */
bool blob_fetch_is_whole_only(const struct blob_fetch *s);

/*
 * Asks for [first, end), until there is an answer or *@until is near. If the whole blob
 * comes instead, the piece goes on to the end of it. Errors: as remote_open().
 */
int blob_fetch_ask(struct blob_fetch *s, uint64_t first, uint64_t end, bool bulk,
		   int64_t *until, struct response *out, struct err *e);
/*
 * Asks where there was an answer last, as a spare transfer, and waits for nothing. To be
 * taken up with response_await(), which gives 0 only for just the range that was asked for:
 * what else it is may have its reasons, and blob_fetch_ask() goes into them. False: not now.
 */
bool blob_fetch_bet(struct blob_fetch *s, uint64_t first, uint64_t end,
		    struct response *out);
int response_await(struct blob_fetch *s, struct response *p, int64_t *until,
		   struct err *e);

/*
 * The next bytes, lent until the next call: their number, 0 when no more come, or an
 * error of transport. What comes moves *@until.
 */
ssize_t response_next(struct blob_fetch *s, struct response *p, const void **data,
		      int64_t *until, struct err *e);
/* Nothing asked is fine. */
void response_close(struct response *p);

#endif
