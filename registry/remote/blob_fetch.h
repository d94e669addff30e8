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
struct supply;
struct transfer;

/* Bytes [at, end) of the blob, on their way; plain data, the caller's. */
struct piece {
	struct transfer *transfer; /* NULL: nothing is asked */
	uint64_t at;
	uint64_t end;
	uint64_t skip; /* to be dropped before it: the server ignored the range */
};

/* Makes no request. @remote outlives it; @d is copied. */
int supply_new(struct remote *remote, const struct descriptor *d, struct supply **out,
	       struct err *e);
/* NULL is fine. */
void supply_free(struct supply *s);

struct remote *supply_remote(const struct supply *s);
/* Its hosts have answered a range with all of the blob. */
bool supply_is_whole_only(const struct supply *s);

/*
 * Asks for [first, end), until there is an answer or *@until is near. If the whole blob
 * comes instead, the piece goes on to the end of it. Errors: as remote_open().
 */
int supply_ask(struct supply *s, uint64_t first, uint64_t end, bool bulk, int64_t *until,
	       struct piece *out, struct err *e);
/*
 * Asks where there was an answer last, as a spare transfer, and waits for nothing. To be
 * taken up with piece_await(), which gives 0 only for just the range that was asked for:
 * what else it is may have its reasons, and supply_ask() goes into them. False: not now.
 */
bool supply_bet(struct supply *s, uint64_t first, uint64_t end, struct piece *out);
int piece_await(struct supply *s, struct piece *p, int64_t *until, struct err *e);

/*
 * The next bytes, lent until the next call: their number, 0 when no more come, or an
 * error of transport. What comes moves *@until.
 */
ssize_t piece_next(struct supply *s, struct piece *p, const void **data, int64_t *until,
		   struct err *e);
/* Nothing asked is fine. */
void piece_close(struct piece *p);

#endif
