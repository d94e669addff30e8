/* SPDX-License-Identifier: MIT */
#include "registry/http/retry.h"

#include <errno.h>
#include <limits.h>
#include <sys/random.h>

#include "base/clock.h"
#include "registry/http/http.h"

#define FIRST_MS 250
#define LAST_MS	 10000

/* Some machine on the way may answer wrongly, or may not have a blob yet; not for long. */
#define MALFORMED_MAX 6
#define MISSING_MAX   3

void retry_init(struct retry *r, struct http *h, int64_t until)
{
	*r = (struct retry){.http = h, .until = until};
}

/* Random, between half and all of FIRST_MS, 2 FIRST_MS, 4 FIRST_MS, ... */
static int64_t wait_ms(unsigned tries)
{
	int64_t ms = tries < 6 ? FIRST_MS << tries : LAST_MS;
	uint16_t dice = 0;

	if (getrandom(&dice, sizeof(dice), GRND_NONBLOCK) < 0)
		dice = 0x8000;
	return ms / 2 + ms / 2 * dice / 0x10000;
}

bool retry_wait(struct retry *r, int64_t retry_after)
{
	int64_t ms = wait_ms(r->tries++);

	if (retry_after > INT32_MAX)
		return false;
	if (retry_after * 1000 > ms)
		ms = retry_after * 1000;
	if (ms > r->until - clock_ms())
		return false;
	return http_sleep(r->http, ms);
}

bool retry_error(struct retry *r, int rc)
{
	unsigned most = rc == -EBADE	? MALFORMED_MAX
			: rc == -ENOENT ? MISSING_MAX
					: UINT_MAX;

	if ((!retry_is_worth_error(rc) && (rc != -ENOENT || !r->is_blob)) ||
	    r->tries >= most || !retry_wait(r, 0))
		return false;
	http_count_retry(r->http);
	return true;
}

bool retry_is_worth(int status)
{
	return status == 408 || status == 429 ||
	       (status >= 500 && status != 501 && status != 507);
}

bool retry_is_worth_error(int rc)
{
	/* EPROTO: the connection was reset during the TLS handshake. */
	return rc == -EIO || rc == -ETIMEDOUT || rc == -ECONNREFUSED || rc == -EPROTO ||
	       rc == -EBADE;
}
