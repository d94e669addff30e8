/* SPDX-License-Identifier: MIT */
/*
 * A transfer that breaks off, stalls or ends early continues at the byte reached, by a new
 * request. Every wait has a deadline, which each arriving byte moves.
 *
 * A large range is read in parts of 2 MiB. Several parts are requested at once where that
 * helps: where the network is slow, perhaps only per connection. Where the reader is slow (a
 * decoder on a fast network), or once the server does not play along, the rest is
 * one request. The first part decides: has the reader waited for most of its time?
 *
 *	|######....|..........|----------|----------|          |
 *	 now        ahead[0]   ahead[1]   ...        requested  end
 *
 * A part ahead is speculative: it is requested without a wait, at the host that answered last,
 * and kept in memory until its turn. If it is not answered as expected (a token or signed URL
 * has expired), it is requested again in the ordinary way. After several such failures
 * speculation stops. Speculative requests queue behind all others (http.h).
 */
#include "registry/remote/range_reader.h"

#include <errno.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"
#include "registry/http/http.h"
#include "registry/http/retry.h"
#include "registry/remote/remote.h"

#define PART_SIZE HTTP_SPARE_MAX

/* More failures than an expiring token can cause at once. */
#define LOST_MAX (2 * RANGE_AHEAD)

static uint64_t part_end(const struct range_reader *r, uint64_t first)
{
	return r->mode != RANGE_SINGLE && r->end - first > PART_SIZE ? first + PART_SIZE
								     : r->end;
}

void range_reader_init(struct range_reader *r, struct blob_fetch *f, uint64_t first,
		       uint64_t end, bool small)
{
	bool is_one = end - first <= PART_SIZE || blob_fetch_lacks_ranges(f);

	*r = (struct range_reader){
		.fetch = f,
		.bulk = !small || !is_one,
		.mode = is_one	? RANGE_SINGLE
			: small ? RANGE_PARALLEL
				: RANGE_MEASURING,
		.at = first,
		.end = end,
		.requested = first,
	};
}

static void drop_ahead(struct range_reader *r)
{
	while (r->n_ahead > 0)
		response_close(&r->ahead[--r->n_ahead]);
}

void range_reader_release(struct range_reader *r)
{
	response_close(&r->now);
	drop_ahead(r);
}

/* Makes the first part ahead the current one. 0 if its response is as expected. */
static int begin_part_ahead(struct range_reader *r, int64_t *until)
{
	unsigned i;
	int rc;

	r->now = r->ahead[0];
	for (i = 1; i < r->n_ahead; i++)
		r->ahead[i - 1] = r->ahead[i];
	r->n_ahead--;
	rc = response_await(r->fetch, &r->now, until, NULL);
	if (rc < 0 && ++r->n_lost >= LOST_MAX)
		r->mode = RANGE_SINGLE;
	return rc;
}

/* Begins the part at @r->at, by a request if it was not requested ahead. */
static int begin_part(struct range_reader *r, int64_t *until, struct err *e)
{
	uint64_t end = r->now.at < r->now.end && r->now.at == r->at ? r->now.end : 0;
	int rc;

	if (end == 0 && r->n_ahead > 0) {
		end = r->ahead[0].end;
		if (begin_part_ahead(r, until) == 0)
			return 0;
	}
	if (end == 0)
		end = part_end(r, r->at);
	r->from = r->at;
	rc = blob_fetch_request(r->fetch, r->at, end, r->bulk, until, &r->now, e);
	if (rc < 0)
		return rc;
	if (r->parts_only && (r->now.skip > 0 || r->now.end > end))
		return -ESPIPE;
	if (r->now.end > end) { /* the whole blob comes instead */
		drop_ahead(r);
		r->mode = RANGE_SINGLE;
		r->now.end = r->end;
	}
	if (r->n_ahead == 0)
		r->requested = r->now.end;
	if (r->began == 0)
		r->began = clock_ns();
	return 0;
}

/* False: everything is requested, or no more is possible now. */
static bool speculate(struct range_reader *r)
{
	uint64_t end = part_end(r, r->requested);

	if (r->requested == r->end || r->n_ahead == RANGE_AHEAD ||
	    !blob_fetch_speculate(r->fetch, r->requested, end, &r->ahead[r->n_ahead]))
		return false;
	r->requested = end;
	r->n_ahead++;
	return true;
}

/* Requests what follows the current part, once the mode is decided. */
static void request_ahead(struct range_reader *r)
{
	if (r->mode == RANGE_MEASURING && r->now.end - r->at <= PART_SIZE / 2) {
		r->mode = r->waited > (clock_ns() - r->began) / 2 ? RANGE_PARALLEL
								  : RANGE_SINGLE;
		if (r->mode == RANGE_SINGLE)
			speculate(r);
	}
	while (r->mode == RANGE_PARALLEL && speculate(r))
		;
}

/* After a failure, also an early end (0): can reading continue at the byte reached? */
static bool may_retry(struct range_reader *r, struct retry *retry, ssize_t rc)
{
	if (r->at == r->from)
		remote_next_host(blob_fetch_remote(r->fetch));
	return retry_error(retry, rc == 0 ? -EIO : (int)rc);
}

/* Callers get one error for all of transport: -EIO. */
static int give_up(struct range_reader *r, ssize_t rc, int64_t since, struct err *e)
{
	if (rc == 0)
		err_set(e, -EIO, "the response ends at byte %llu of %llu",
			(unsigned long long)r->at, (unsigned long long)r->end);
	if (rc == 0 || retry_is_worth_error((int)rc))
		rc = -EIO;
	if (rc == -EIO)
		remote_note_failure(blob_fetch_remote(r->fetch), since);
	return (int)rc; /* callers add which blob it is */
}

ssize_t range_reader_next(struct range_reader *r, const void **data, struct err *e)
{
	struct remote *remote = blob_fetch_remote(r->fetch);
	int64_t since = clock_ms(), start;
	struct retry retry;
	ssize_t n = 0;

	if (r->at == r->end)
		return 0;
	retry_init(&retry, remote_http(remote), remote_deadline(remote));
	retry.is_blob = true;
	for (;;) {
		if (r->now.transfer && r->now.at == r->now.end)
			response_close(&r->now);
		if (!r->now.transfer) {
			n = begin_part(r, &retry.until, e);
			if (n == -ESPIPE)
				return n;
			/* All other errors have been retried as often as useful. */
			if ((n == -EBADE || n == -ENOENT) && may_retry(r, &retry, n))
				continue;
			if (n < 0)
				break;
		}
		request_ahead(r);
		start = clock_ns();
		n = response_next(r->fetch, &r->now, data, &retry.until, e);
		r->waited += clock_ns() - start;
		if (n > 0) {
			r->at += (uint64_t)n;
			return n;
		}
		response_close(&r->now);
		/* A server may send less than requested; the rest is another request. */
		if (n == 0 && r->at > r->from)
			continue;
		if (!may_retry(r, &retry, n))
			break;
	}
	return give_up(r, n, since, e);
}

ssize_t range_reader_receive(struct range_reader *r, const void **data, int64_t until)
{
	ssize_t n = r->now.transfer ? response_next(r->fetch, &r->now, data, &until, NULL)
				    : 0;

	if (n > 0)
		r->at += (uint64_t)n;
	return n;
}

void range_reader_take_over(struct range_reader *r, uint64_t size,
			    struct range_reader *all)
{
	range_reader_init(all, r->fetch, 0, size, false);
	all->now = (struct response){.transfer = r->now.transfer, .end = size};
	all->requested = size;
	r->now.transfer = NULL;
}
