/* SPDX-License-Identifier: MIT */
/*
 * One exchange under way, between its reader and the thread that makes it: the head of
 * the answer, and a body that goes through a ring of bounded size.
 */
#ifndef REGISTRY_HTTP_TRANSFER_H
#define REGISTRY_HTTP_TRANSFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "registry/http/head.h"

struct buf;
struct err;
struct transfer;
struct transfer_driver;

/* So much of a body is stored for a spare transfer, which can end without its reader. */
#define HTTP_SPARE_MAX (2u << 20)

/* For the reader: one thread at a time. Deadlines are clock_ms(), errors as in http.h. */

/*
 * Waits for the head of the answer, until *@until. Time in the queue does not count as
 * long as the host sends to others: *@until is moved by it.
 */
int transfer_await(struct transfer *t, int64_t *until, struct err *e);
/* Borrowed for the life of the transfer. */
const struct http_head *transfer_head(const struct transfer *t);
/*
 * Waits for more of the body and lends at most @max bytes of it until the next call.
 * Returns their number, 0 at the end of the body, or an error; a body that is shorter
 * than its Content-Length is -EIO. Bytes that are not asked for stay in the ring.
 */
ssize_t transfer_next(struct transfer *t, const void **data, size_t max, int64_t until,
		      struct err *e);
/*
 * Keep what no message may show: the value of a header field, "Basic BASE64" with the
 * password in it or "Bearer TOKEN"; and the last field of a form, the identity token. 0,
 * -ENOMEM, -E2BIG. Before the transfer is queued.
 */
int transfer_keep_credential(struct transfer *t, const char *value);
int transfer_keep_form(struct transfer *t, const char *form);
/*
 * Whether @text, from the answer, contains a credential that was sent: no message may show
 * it then.
 */
bool transfer_repeats(const struct transfer *t, const char *text);
/* Appends the rest of the body to @body, up to its ceiling (-E2BIG). */
int transfer_read_all(struct transfer *t, struct buf *body, int64_t until, struct err *e);
/* Aborts the exchange if it is still under way. NULL is fine. */
void transfer_close(struct transfer *t);

/* For http.c and queue.c, and for the thread that makes the exchange. */

/* 0 or -ENOMEM. Takes @origin, also on failure. The driver is borrowed. */
int transfer_new(const struct transfer_driver *driver, bool bulk, bool spare,
		 char *origin, struct transfer **out);
/* For a transfer that no reader and no thread has. */
void transfer_free(struct transfer *t);

/* It has left the queue. */
void transfer_start(struct transfer *t);
/* Its head is complete. */
void transfer_show_head(struct transfer *t);
/*
 * Copies all of a piece of the body, or nothing: -EAGAIN if it does not fit now, and the
 * transfer is paused; -ENOMEM or -E2BIG if it never will.
 */
int transfer_put(struct transfer *t, const void *data, size_t len);
/* The exchange is over. The transfer may be freed from now on. */
void transfer_finish(struct transfer *t, int rc);

/*
 * What the reader wants of the thread. TRANSFER_RESUME is said once, and ends the
 * pause.
 */
enum transfer_wish { TRANSFER_GO_ON, TRANSFER_RESUME, TRANSFER_END };
enum transfer_wish transfer_wish(struct transfer *t);
bool transfer_is_closed(struct transfer *t);

#endif
