/* SPDX-License-Identifier: MIT */
/*
 * What breaks off, stalls or ends early goes on at the byte reached. Every wait has a
 * deadline; each byte that comes moves it.
 *
 * A range that is large is read by pieces of 2 MiB, of which several are on their way at
 * once where that helps: where the network is what is slow, and it may be slow for each
 * connection alone. Where the reader is (a decoder, on a fast network), or as soon as the
 * other side dislikes it, the rest is one request. It is found out with the first piece:
 * has the reader waited for most of the time?
 *
 *	|######....|..........|----------|----------|          |
 *	 now        ahead[0]   ahead[1]   ...        asked      end
 *
 * A piece ahead is a bet: asked without a wait, where there was an answer last, and kept
 * in memory until it is its turn. One that is not answered as it should be (a token or
 * signed URL has expired) is asked for anew in the ordinary way, and after a few such there
 * are no more bets. They queue behind everything that somebody waits for (http.h).
 */
#include "registry/remote/range_reader.h"

#include <errno.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"
#include "registry/http/http.h"
#include "registry/remote/remote.h"
#include "registry/http/retry.h"

#define PIECE HTTP_SPARE_MAX

/* More of them than can be on their way when a token expires. */
#define LOST_MAX (2 * RANGE_AHEAD)

static uint64_t piece_end(const struct range_reader *r, uint64_t first)
{
	return r->way != RANGE_WHOLE && r->end - first > PIECE ? first + PIECE : r->end;
}

void range_reader_init(struct range_reader *r, struct blob_fetch *s, uint64_t first,
		       uint64_t end, bool small)
{
	bool is_one = end - first <= PIECE || blob_fetch_is_whole_only(s);

	*r = (struct range_reader){
		.supply = s,
		.bulk = !small || !is_one,
		.way = is_one  ? RANGE_WHOLE
		       : small ? RANGE_PIECES
			       : RANGE_PROBES,
		.at = first,
		.end = end,
		.asked = first,
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

/* A piece asked ahead whose turn it is; 0 if it is as it should be. */
static int take_ahead(struct range_reader *r, int64_t *until)
{
	unsigned i;
	int rc;

	r->now = r->ahead[0];
	for (i = 1; i < r->n_ahead; i++)
		r->ahead[i - 1] = r->ahead[i];
	r->n_ahead--;
	rc = response_await(r->supply, &r->now, until, NULL);
	if (rc < 0 && ++r->n_lost >= LOST_MAX)
		r->way = RANGE_WHOLE;
	return rc;
}

/* The piece that @r->at is in, asked for if it is not on its way. */
static int take_piece(struct range_reader *r, int64_t *until, struct err *e)
{
	uint64_t end = r->now.at < r->now.end && r->now.at == r->at ? r->now.end : 0;
	int rc;

	if (end == 0 && r->n_ahead > 0) {
		end = r->ahead[0].end;
		if (take_ahead(r, until) == 0)
			return 0;
	}
	if (end == 0)
		end = piece_end(r, r->at);
	rc = blob_fetch_ask(r->supply, r->at, end, r->bulk, until, &r->now, e);
	if (rc < 0)
		return rc;
	if (r->parts_only && (r->now.skip > 0 || r->now.end > end))
		return -ESPIPE;
	if (r->now.end > end) { /* all comes, whatever is asked */
		drop_ahead(r);
		r->way = RANGE_WHOLE;
		r->now.end = r->end;
	}
	r->from = r->at;
	if (r->n_ahead == 0)
		r->asked = r->now.end;
	if (r->began == 0)
		r->began = clock_ns();
	return 0;
}

/* false: all is asked for, or that is all for now. */
static bool bet(struct range_reader *r)
{
	uint64_t end = piece_end(r, r->asked);

	if (r->asked == r->end || r->n_ahead == RANGE_AHEAD ||
	    !blob_fetch_bet(r->supply, r->asked, end, &r->ahead[r->n_ahead]))
		return false;
	r->asked = end;
	r->n_ahead++;
	return true;
}

/* What is behind the piece being read, as soon as it is known how to ask for it. */
static void ask_ahead(struct range_reader *r)
{
	if (r->way == RANGE_PROBES && r->now.end - r->at <= PIECE / 2) {
		r->way = r->waited > (clock_ns() - r->began) / 2 ? RANGE_PIECES
								 : RANGE_WHOLE;
		if (r->way == RANGE_WHOLE)
			bet(r);
	}
	while (r->way == RANGE_PIECES && bet(r))
		;
}

/* A failure while reading: can it go on at the byte reached? */
static bool may_go_on(struct range_reader *r, struct retry *retry, ssize_t rc)
{
	if ((rc != 0 && !retry_is_worth_error((int)rc)) || !retry_wait(retry, 0))
		return false;
	http_count_retry(remote_http(blob_fetch_remote(r->supply)));
	return true;
}

/* What is left is not for the caller's table: transport is EIO to all above. */
static int give_up(struct range_reader *r, ssize_t rc, int64_t since, struct err *e)
{
	if (rc == 0)
		err_set(e, -EIO, "the answer ends at byte %llu of %llu",
			(unsigned long long)r->at, (unsigned long long)r->end);
	if (rc == 0 || retry_is_worth_error((int)rc))
		rc = -EIO;
	if (rc == -EIO)
		remote_gave_up(blob_fetch_remote(r->supply), since);
	return (int)rc; /* which blob, all above know and say */
}

ssize_t range_reader_next(struct range_reader *r, const void **data, struct err *e)
{
	int64_t since = clock_ms(), start;
	struct retry retry;
	ssize_t n = 0;

	if (r->at == r->end)
		return 0;
	retry_init(&retry, remote_deadline(blob_fetch_remote(r->supply)));
	for (;;) {
		if (r->now.transfer && r->now.at == r->now.end)
			response_close(&r->now);
		if (!r->now.transfer) {
			n = take_piece(r, &retry.until, e);
			if (n == -ESPIPE)
				return n;
			if (n < 0)
				break; /* tried again inside, as far as it may help */
		}
		ask_ahead(r);
		start = clock_ns();
		n = response_next(r->supply, &r->now, data, &retry.until, e);
		r->waited += clock_ns() - start;
		if (n > 0) {
			r->at += (uint64_t)n;
			return n;
		}
		response_close(&r->now);
		/* A range may be answered in part: whoever ends early is asked for the rest. */
		if (n == 0 && r->at > r->from)
			continue;
		if (!may_go_on(r, &retry, n))
			break;
	}
	return give_up(r, n, since, e);
}

ssize_t range_reader_more(struct range_reader *r, const void **data, int64_t until)
{
	ssize_t n = r->now.transfer
			    ? response_next(r->supply, &r->now, data, &until, NULL)
			    : 0;

	if (n > 0)
		r->at += (uint64_t)n;
	return n;
}

void range_reader_take_over(struct range_reader *r, uint64_t size,
			    struct range_reader *all)
{
	range_reader_init(all, r->supply, 0, size, false);
	all->now = (struct response){.transfer = r->now.transfer, .end = size};
	all->asked = size;
	r->now.transfer = NULL;
}
