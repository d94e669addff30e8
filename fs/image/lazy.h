/* SPDX-License-Identifier: MIT */
/*
 * Things that are made when they are first needed, shared by all who need them, and
 * given back when nobody has for long: images, and layers. Of such a thing only the
 * hold stays for ever.
 *
 *	absent --lazy_need() says 1--> being made --lazy_made()--> there, or failed
 *	there --lazy_set_take_unused()--> being given back --lazy_gone()--> absent
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

struct lazy {
	int pins;      /* atomic; negative while it is not there */
	uint32_t used; /* atomic: the second it was last pinned */
	bool is_busy;  /* under the holds' lock: being made or given back */
	int failed;    /* under the lock: as it was last made */
	uint32_t failed_at;
	struct lazy *next; /* under the lock: of those that are there */
	struct lazy **link;
};

/* All of a kind. */
struct lazy_set {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct lazy *first; /* under lock: those that are there, the newest first */
	size_t n;	    /* under lock */
};

void lazy_set_init(struct lazy_set *hs);
void lazy_set_release(struct lazy_set *hs);
void lazy_init(struct lazy *h);

/* Pins it if it is there. */
bool lazy_pin(struct lazy *h);
void lazy_unpin(struct lazy *h);

/*
 * Pins it: 0; or 1: it is not there, and the caller has to make it and to call
 * lazy_made(); or -EINTR: the wait for another who makes it was ended; or why it failed
 * just now.
 */
int lazy_need(struct lazy_set *hs, struct lazy *h, struct waiter *w);
/* It is there, pinned by who made it (@result 0), or failed. */
void lazy_made(struct lazy_set *hs, struct lazy *h, int result);

/*
 * The one that was unused the longest, if that is @seconds or if more than @max are there;
 * else NULL. Whoever gets it gives it back and calls lazy_gone().
 */
struct lazy *lazy_set_take_unused(struct lazy_set *hs, uint32_t seconds, size_t max);
void lazy_gone(struct lazy_set *hs, struct lazy *h);

/* Under the lock: until something has changed, or for a moment. */
void lazy_set_wait(struct lazy_set *hs);

/* Seconds of a clock that only goes on. Cheap. */
uint32_t lazy_clock(void);

#endif
