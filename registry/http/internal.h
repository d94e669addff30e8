/* SPDX-License-Identifier: MIT */
/*
 * A transfer's data, for http.c, transfer.c and queue.c.
 *
 * The ring is written by the transfer thread alone and read by the transfer's reader
 * alone; its bytes are copied without the lock. If a piece of the body does not fit, the
 * transfer is paused; it resumes when half of the ring is free.
 *
 * A transfer is freed by its last user: the reader (closed) or the thread (done). The
 * reader never touches curl, so closing is a flag and a wake-up.
 */
#ifndef REGISTRY_HTTP_INTERNAL_H
#define REGISTRY_HTTP_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "registry/http/head.h"
#include "registry/http/ring.h"

struct curl_slist;
struct host;
struct transfer;

/* Who goes first when a host has room for one more. Spare transfers are bulk, too. */
enum turn { TURN_SMALL, TURN_BULK, TURN_SPARE };

#define TRANSFER_WHY_MAX 256

/* What a transfer needs of the module that drives it. */
struct transfer_driver {
	/* Makes the transfer thread look at transfer_wish(). */
	void (*wake)(const struct transfer_driver *d);
	/* Somebody waits for @t, a spare transfer, from now on. */
	void (*move_up)(const struct transfer_driver *d, struct transfer *t);
	/* Frees easy and headers, which may be NULL. */
	void (*drop)(const struct transfer_driver *d, struct transfer *t);
};

struct transfer {
	struct transfer *next; /* in the queue, then among the running */
	const struct transfer_driver *driver;
	void *easy; /* curl's; the thread's, once queued */
	struct curl_slist *headers;
	struct buf
		secrets; /* what was sent that no message may repeat: texts with their NUL */
	struct host *host; /* once queued */
	char *origin;	   /* "scheme://host:port" */
	bool bulk;
	bool is_spare;	/* was made as one */
	enum turn turn; /* under the lock of the queue, while it is there */
	char why[TRANSFER_WHY_MAX];
	struct http_head head; /* read-only once has_head */

	pthread_mutex_t lock; /* guards all that follows */
	pthread_cond_t moved;
	int64_t started; /* clock_ms(); 0: still in the queue */
	bool has_head, done, closed, paused;
	int rc;		  /* once done */
	struct ring ring; /* except for its bytes: see ring.h */
};

#endif
