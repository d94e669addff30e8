/* SPDX-License-Identifier: MIT */
/*
 * When to try again, and when to give up: doubling waits with jitter (so that many
 * clients do not come back at once), the server's Retry-After where it says one, and
 * a deadline that no wait runs past.
 */
#ifndef REGISTRY_HTTP_RETRY_H
#define REGISTRY_HTTP_RETRY_H

#include <stdbool.h>
#include <stdint.h>

struct retry {
	int64_t until;	/* on clock_ms()'s clock */
	unsigned tries; /* failures since the start, or since progress */
};

void retry_init(struct retry *r, int64_t until);
/*
 * Counts a failure and waits. false, at once, if the wait would end past the
 * deadline: then the failure stands. @retry_after is that field's value or NULL.
 */
bool retry_wait(struct retry *r, const char *retry_after);
/* Is an answer of this status worth asking again for? */
bool retry_is_worth(int status);
/* The same of a failed exchange's errno (http.h). */
bool retry_is_worth_error(int rc);

#endif
