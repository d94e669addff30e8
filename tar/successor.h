/* SPDX-License-Identifier: MIT */
/*
 * What takes the place of something that turned out to be wrong while it is in use: made once,
 * by the first thread that needs it, while the others wait. Any thread may call any function but
 * init and release.
 */
#ifndef TAR_SUCCESSOR_H
#define TAR_SUCCESSOR_H

#include <pthread.h>
#include <stdbool.h>

#include "base/err.h"

struct layer;

struct successor {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool is_busy;	     /* under lock: a thread makes it */
	int rc;		     /* under lock: why there never will be one; or 0 */
	struct err why;	     /* of rc */
	struct layer *layer; /* atomic: NULL until it is made */
};

void successor_init(struct successor *s);
/* The layer is the caller's to free before. */
void successor_release(struct successor *s);

/* NULL: there is none yet. */
struct layer *successor_get(const struct successor *s);

/* 0, or a negative errno and a sentence: -EBADMSG for good, others for now. */
typedef int successor_make_fn(void *arg, const bool *cancelled, struct layer **out,
			      struct err *e);
/*
 * Has it made by @make, unless it is made. 0, what @make returned, or -EINTR when *@cancelled
 * (may be NULL) becomes true and successor_wake() is called.
 */
int successor_need(struct successor *s, successor_make_fn *make, void *arg,
		   const bool *cancelled, struct err *e);
/* Makes every waiter check its *@cancelled. */
void successor_wake(struct successor *s);

#endif
