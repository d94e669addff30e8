/* SPDX-License-Identifier: MIT */
/*
 * Things that are made when they are first needed, shared by all who need them, and
 * given back when nobody has for long: images, and layers. Of such a thing only the
 * hold stays for ever.
 *
 *	absent --hold_need() says 1--> being made --hold_made()--> there, or failed
 *	there --holds_take_unused()--> being given back --hold_gone()--> absent
 *
 * While a thing is there, to pin and unpin it is an atomic operation each. One makes it,
 * the others wait; no lock is held meanwhile. That it failed is remembered for some
 * seconds, lest a walk through a tree ask a thousand times what cannot be had.
 */
#ifndef FS_IMAGE_LAZY_H
#define FS_IMAGE_LAZY_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct waiter;

struct hold {
	int pins;      /* atomic; negative while it is not there */
	uint32_t used; /* atomic: the second it was last pinned */
	bool is_busy;  /* under the holds' lock: being made or given back */
	int failed;    /* under the lock: as it was last made */
	uint32_t failed_at;
	struct hold *next; /* under the lock: of those that are there */
	struct hold **link;
};

/* All of a kind. */
struct holds {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct hold *first; /* under lock: those that are there, the newest first */
	size_t n;	    /* under lock */
};

void holds_init(struct holds *hs);
void holds_release(struct holds *hs);
void hold_init(struct hold *h);

/* Pins it if it is there. */
bool hold_pin(struct hold *h);
void hold_unpin(struct hold *h);

/*
 * Pins it: 0; or 1: it is not there, and the caller has to make it and to call
 * hold_made(); or -EINTR: the wait for another who makes it was ended; or why it failed
 * just now.
 */
int hold_need(struct holds *hs, struct hold *h, struct waiter *w);
/* It is there, pinned by who made it (@result 0), or failed. */
void hold_made(struct holds *hs, struct hold *h, int result);

/*
 * The one that was unused the longest, if that is @seconds or if more than @max are there;
 * else NULL. Whoever gets it gives it back and calls hold_gone().
 */
struct hold *holds_take_unused(struct holds *hs, uint32_t seconds, size_t max);
void hold_gone(struct holds *hs, struct hold *h);

/* Under the lock: until something has changed, or for a moment. */
void holds_wait(struct holds *hs);

/* Seconds of a clock that only goes on. Cheap. */
uint32_t hold_clock(void);

#endif
