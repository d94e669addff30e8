/* SPDX-License-Identifier: MIT */
#include "registry/remote/body.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "registry/http/http.h"
#include "registry/http/refusal.h"
#include "registry/http/retry.h"

#define EXTRA_MS 5000

static int copy_field(const char *field, char **out)
{
	if (!out || !field)
		return 0;
	free(*out);
	*out = strdup(field);
	return *out ? 0 : -ENOMEM;
}

int body_get(struct remote *r, const struct remote_request *rq, struct buf *bytes,
	     char **media, char **link, struct err *e)
{
	struct transfer *t = NULL;
	struct retry retry;
	bool again;
	int rc;

	retry_init(&retry, remote_http(r),
		   rq->is_extra ? clock_ms() + EXTRA_MS : remote_deadline(r));
	do {
		again = false;
		buf_clear(bytes);
		rc = remote_open(r, rq, &retry.until, NULL, &t, e);
		if (rc < 0)
			return rc;
		rc = refuse_coding(t, e);
		if (rc == 0)
			rc = transfer_read_all(t, bytes,
					       remote_try_deadline(r, retry.until), e);
		if (rc == 0)
			rc = copy_field(transfer_head(t)->content_type, media);
		if (rc == 0)
			rc = copy_field(transfer_head(t)->link, link);
		transfer_close(t);
		if (retry_is_worth_error(rc) && retry_wait(&retry, 0)) {
			http_count_retry(remote_http(r));
			again = true;
		}
	} while (again);
	return retry_is_worth_error(rc) ? -EIO : rc;
}
