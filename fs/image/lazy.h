/* SPDX-License-Identifier: MIT */
/*
 * Lazily created, shared objects that are freed when idle: images, layers, blobs. An
 * object embeds a struct lazy, which outlives what it stands for:
 *
 *	absent --lazy_need() says 1--> being made --lazy_made()--> present, or failed
 *	present --lazy_set_take_unused()--> being freed --lazy_gone()--> absent
 *
 * Pinning and unpinning a present object is one atomic operation each. One thread makes
 * the object, all others wait, and no lock is held meanwhile. A failure is remembered for
 * some seconds, so that a walk through a tree does not repeat it a thousand times.
 *
 * Any thread, unless a call says otherwise.
 */
#ifndef FS_IMAGE_LAZY_H
#define FS_IMAGE_LAZY_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct waiter;
struct workers;

struct lazy {
	int pins;      /* atomic; negative while the object is absent */
	uint32_t used; /* atomic: the second of the last pin */
	bool is_busy;  /* under the set's lock: being made or freed */
	int failed;    /* under the lock: how making it ended the last time */
	uint32_t failed_at;
	struct err *why;   /* under the lock: the sentence of that; may be NULL */
	struct lazy *next; /* under the lock: in the list of present objects */
	struct lazy **link;
};

/* All objects of a kind. */
struct lazy_set {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct lazy *first; /* under lock: the present ones, newest first */
	size_t n;	    /* under lock: how many */
};

void lazy_set_init(struct lazy_set *set);
void lazy_set_release(struct lazy_set *set);
/* Absent. */
void lazy_init(struct lazy *l);
void lazy_release(struct lazy *l);

/* False: it is absent. */
bool lazy_pin(struct lazy *l);
void lazy_unpin(struct lazy *l);

/*
 * 0: it is pinned. 1: it is absent, and the caller has to make it and to call
 * lazy_made(). -EINTR: the wait for the thread that makes it was ended. Other negative
 * errnos: the failure of a moment ago.
 */
int lazy_need(struct lazy_set *set, struct lazy *l, struct waiter *w);
/* Ends what lazy_need() began: the object is present and pinned (@result 0), or failed. */
void lazy_made(struct lazy_set *set, struct lazy *l, int result);

/* Before lazy_made() with a failure: its sentence, for those that need the object soon after. */
void lazy_note(struct lazy_set *set, struct lazy *l, const struct err *e);
/* After lazy_need() has returned the failure @code: its sentence. Returns @code. */
int lazy_recall(struct lazy_set *set, struct lazy *l, int code, struct err *e);

/* Whether a thread is making it, or freeing it, at this moment. */
bool lazy_is_busy(struct lazy_set *set, const struct lazy *l);

/*
 * Pins an object that is made by @make in a thread of @ws, so that the wait can be ended.
 * @make calls lazy_made_unpinned(). As lazy_need(), but never 1; also -ENOMEM, -EAGAIN and
 * -ECANCELED.
 */
int lazy_await(struct lazy_set *set, struct lazy *l, struct workers *ws,
	       void (*make)(void *arg), void *arg, struct waiter *w);
/* As lazy_made(), but the object is not pinned. */
void lazy_made_unpinned(struct lazy_set *set, struct lazy *l, int result);

/*
 * The object that was unused the longest, if that is @seconds, or if more than @max are
 * present; else NULL. The caller frees what it stands for and calls lazy_gone().
 */
struct lazy *lazy_set_take_unused(struct lazy_set *set, uint32_t seconds, size_t max);
void lazy_gone(struct lazy_set *set, struct lazy *l);
/* How many are present. */
size_t lazy_set_count(struct lazy_set *set);
/*
 * The object is absent, as after lazy_init(): the caller frees what it stood for. It is
 * neither pinned nor being made, and no other thread knows it.
 */
void lazy_forget(struct lazy_set *set, struct lazy *l);

#endif
