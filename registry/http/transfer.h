/* SPDX-License-Identifier: MIT */
/*
 * One transfer between its reader and the transfer thread: its life, what each tells the
 * other, and the ring that the body goes through. What readers call is in http.h; this is
 * the inside, for http.c and queue.c.
 *
 * The ring is written by the transfer thread alone and read by the transfer's reader
 * alone, and its bytes are copied without the lock. A body that finds the ring full is
 * paused and goes on when half of the ring is free.
 *
 * A transfer is freed by whoever leaves it last: its reader (closed) or the thread
 * (done). The reader never touches curl, so that closing is a flag and a wake-up.
 */
#ifndef REGISTRY_HTTP_TRANSFER_H
#define REGISTRY_HTTP_TRANSFER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "registry/http/answer.h"
#include "registry/http/queue.h"
#include "registry/http/ring.h"

struct curl_slist;
struct http;
struct http_request;

#define TRANSFER_WHY_MAX 256

struct transfer {
	struct transfer *next; /* in the queue, then among the running */
	struct http *http;
	struct queue *queue; /* of that */
	void *easy;	     /* the thread's, once queued */
	struct curl_slist *headers;
	struct host *host; /* once queued */
	char *origin;
	bool bulk;
	bool is_spare;	/* counted among the spares */
	enum turn turn; /* under the lock of the queue, while it is there */
	char why[TRANSFER_WHY_MAX];
	struct http_head head; /* read-only once has_head */

	pthread_mutex_t lock; /* guards all that follows */
	pthread_cond_t moved;
	int64_t started; /* 0: still in the queue */
	bool has_head, done, closed, paused;
	int rc;		  /* once done */
	struct ring ring; /* but its bytes: see ring.h */
};

/* 0, -EINVAL for what is no URL to be asked, -ENOMEM. @easy and @headers are NULL. */
int transfer_new(struct http *h, struct queue *q, const struct http_request *rq,
		 struct transfer **out);
/* By its only owner. */
void transfer_free(struct transfer *t);

/* What the thread tells */

void transfer_start(struct transfer *t);
/* Its head is whole: whoever waits for it may look. */
void transfer_show_head(struct transfer *t);
/* Copies all; or nothing. -EAGAIN: it does not fit now, and is paused; -ENOMEM, -E2BIG: never. */
int transfer_put(struct transfer *t, const void *data, size_t len);
/* The thread is through with it, which its reader may free from now on. */
void transfer_finish(struct transfer *t, int rc);

/* What its reader wants of the thread. A pause that it wants to end is over then. */
enum transfer_wish { TRANSFER_GO_ON, TRANSFER_RESUME, TRANSFER_END };
enum transfer_wish transfer_wish(struct transfer *t);
bool transfer_is_closed(struct transfer *t);

/* What http.c gives for it */

/* The thread is to look at what readers wish. */
void http_wake(struct http *h);
/* Frees what is curl's. */
void http_drop_handle(struct transfer *t);

#endif
