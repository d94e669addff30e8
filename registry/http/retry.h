/* SPDX-License-Identifier: MIT */
/*
 * When to try again, and when to give up: waits that double, with jitter so that many
 * clients do not return at once, the server's Retry-After, and a deadline.
 */
#ifndef REGISTRY_HTTP_RETRY_H
#define REGISTRY_HTTP_RETRY_H

#include <stdbool.h>
#include <stdint.h>

struct http;

struct retry {
	struct http *http;
	int64_t until;	/* clock_ms() */
	unsigned tries; /* failures since the start, or since the last progress */
	bool is_blob;	/* named by digest: -ENOENT is worth another try, too */
};

/* @h is borrowed. */
void retry_init(struct retry *r, struct http *h, int64_t until);
/*
 * Counts a failure and waits, at least @retry_after seconds. Returns false immediately if
 * the wait would end after the deadline; the failure is then final.
 */
bool retry_wait(struct retry *r, int64_t retry_after);
/*
 * The same after a failed exchange: also false if @rc shows that another try is pointless, or
 * after a few tries for a malformed answer (-EBADE). Counts a retry.
 */
bool retry_error(struct retry *r, int rc);
/* Whether a request that was answered with this status should be repeated. */
bool retry_is_worth(int status);
/* Is it an errno of transport (http.h, refusal.h)? Callers outside get -EIO for all. */
bool retry_is_worth_error(int rc);

#endif
