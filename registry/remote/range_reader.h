/* SPDX-License-Identifier: MIT */
/*
 * A range of a blob read in order: see reading.c. One reader, one thread at a time.
 */
#ifndef REGISTRY_REMOTE_RANGE_READER_H
#define REGISTRY_REMOTE_RANGE_READER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "registry/remote/blob_fetch.h"

struct err;

/* Pieces asked for ahead of the one being read. */
#define RANGE_AHEAD 4

enum range_reader_way {
	RANGE_PROBES, /* it is not known yet who is slower, the network or the reader */
	RANGE_PIECES, /* the network: several are asked at once */
	RANGE_WHOLE,  /* the reader, or one piece is all: one request for the rest */
};

/* Plain data, embedded. */
struct range_reader {
	struct blob_fetch *supply; /* borrowed */
	bool bulk;
	bool parts_only; /* see range_reader_take_over() */
	enum range_reader_way way;
	uint64_t at;	/* the next byte to lend */
	uint64_t end;	/* of the range */
	uint64_t from;	/* where the piece being read was taken up */
	uint64_t asked; /* all before it is in a piece */
	struct response now;
	struct response ahead[RANGE_AHEAD];
	unsigned n_ahead, n_lost; /* pieces asked ahead that were not answered so */
	int64_t began, waited;	  /* ns */
};

/*
 * Makes ready to read [first, end) of the blob; asks nothing yet. @small: somebody waits
 * for just this. Else it is a part of something large.
 */
void range_reader_init(struct range_reader *r, struct blob_fetch *s, uint64_t first,
		       uint64_t end, bool small);
/* Breaks off what is under way. */
void range_reader_release(struct range_reader *r);
/*
 * The next bytes, lent until the next call: their number, 0 at the end of the range, or a
 * negative errno, -EIO for all of transport, after which only range_reader_release() may follow.
 */
ssize_t range_reader_next(struct range_reader *r, const void **data, struct err *e);

/*
 * What comes by @until of the answer under way; nothing is asked. 0 when it is at its end,
 * -ETIMEDOUT when nothing came, and any other failure is the answer's.
 */
ssize_t range_reader_more(struct range_reader *r, const void **data, int64_t until);

/*
 * With @r->parts_only, a host that sends all of the blob, of @size bytes, instead of a part
 * makes range_reader_next() return -ESPIPE. Then @all, which must be released too, becomes a
 * reading of all of it, with that answer.
 */
void range_reader_take_over(struct range_reader *r, uint64_t size,
			    struct range_reader *all);

#endif
