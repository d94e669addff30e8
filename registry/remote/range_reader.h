/* SPDX-License-Identifier: MIT */
/*
 * Reads a range of a blob in order, with one request or several at once; range_reader.c says
 * when. Used by one thread at a time.
 */
#ifndef REGISTRY_REMOTE_RANGE_READER_H
#define REGISTRY_REMOTE_RANGE_READER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "registry/remote/blob_fetch.h"

struct err;

/* Parts that are requested ahead of the one being read. */
#define RANGE_AHEAD 4

enum range_reader_mode {
	RANGE_MEASURING, /* it is not known yet what is slower, the network or the reader */
	RANGE_PARALLEL, /* the network is: request several parts at once */
	RANGE_SINGLE, /* the reader is, or the range is one part: one request for the rest */
};

/* Plain data, embedded. */
struct range_reader {
	struct blob_fetch *fetch; /* borrowed */
	bool bulk;
	bool parts_only; /* see range_reader_take_over() */
	enum range_reader_mode mode;
	uint64_t at;	    /* the next byte to lend */
	uint64_t end;	    /* of the range */
	uint64_t from;	    /* `at` when the current request was made */
	uint64_t requested; /* all bytes before it belong to a part */
	struct response now;
	struct response ahead[RANGE_AHEAD];
	unsigned n_ahead;
	unsigned n_lost;       /* speculative requests that failed */
	int64_t began, waited; /* ns */
};

/*
 * Prepares to read [first, end) of the blob, without a request. @small: somebody waits for
 * just this range. Otherwise it is part of a large read.
 */
void range_reader_init(struct range_reader *r, struct blob_fetch *f, uint64_t first,
		       uint64_t end, bool small);
/* Cancels what is being received. */
void range_reader_release(struct range_reader *r);
/*
 * The next bytes, lent until the next call. Returns their number, 0 at the end of the range,
 * or a negative errno, -EIO for every transport error. After an error only
 * range_reader_release() may be called.
 */
ssize_t range_reader_next(struct range_reader *r, const void **data, struct err *e);

/*
 * The next bytes of the response being received, if they arrive by @until; makes no
 * request. 0: the response has ended; -ETIMEDOUT: no bytes yet; else its error.
 */
ssize_t range_reader_receive(struct range_reader *r, const void **data, int64_t until);

/*
 * With @r->parts_only set, range_reader_next() returns -ESPIPE if a host sends the whole blob,
 * of @size bytes, instead of a part. Then this call makes @all a reader of the
 * whole blob that continues that response. @all must be released too.
 */
void range_reader_take_over(struct range_reader *r, uint64_t size,
			    struct range_reader *all);

#endif
