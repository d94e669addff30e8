/* SPDX-License-Identifier: MIT */
/*
 * A span is ready when its bytes are in the store's data file and this process knows that
 * they are right: it wrote them itself, or it read them back once and verified them.
 * Reading a ready span takes the lock only to look that up.
 *
 * A span in a lower store is ready when it was checked, if it cannot vanish there; if it can,
 * a fill copies it into memory for each use.
 *
 * Any other span is made ready by a fill: a thread that reads it back, or fetches and
 * decodes it, and writes it to the data file. A fill is for a run of spans, so that one
 * request brings what is likely to be read next (ahead.h decides how much). There is one
 * fill for a span at a time, unless runs fail. Readers of the span wait for it, and may
 * go away while it continues. When spans that were fetched ahead are read, the next run
 * is started beside them.
 *
 * An error ends a run early and silently. A reader that needs one of the missing spans
 * starts a fill for that span alone, and gets its error. If the data file cannot take a
 * span (a full disk), a fill for that span alone keeps the bytes in memory. A few such
 * fills are kept, because the next read is mostly of the same span.
 */
#include "tar/span_cache.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/source.h"
#include "base/store/lower.h"
#include "base/store/slot.h"
#include "tar/ahead.h"
#include "tar/batch.h"
#include "tar/index/index.h"
#include "tar/prefetch.h"
#include "tar/read_trace.h"
#include "tar/span_fill.h"
#include "tar/span_lower.h"
#include "tar/span_places.h"

struct span_cache {
	const struct index *index;
	struct source *blob;
	struct span_places places;
	uint64_t n_loaded;	 /* atomic */
	uint64_t n_fetched;	 /* bytes; atomic */
	struct read_trace trace; /* has a lock of its own */

	pthread_mutex_t mutex; /* guards all below */
	pthread_cond_t changed;
	struct span_fills fills;
	unsigned threads;
	bool is_full;	 /* the data file takes no more, so reading ahead is useless */
	uint64_t *ready; /* one bit for each span */
	uint64_t *wrong; /* the same, for those that do not match the table of contents */
	struct ahead ahead;
	struct prefetch prefetch;
};

int span_cache_new(const struct index *ix, struct source *blob, struct store *store,
		   struct slot *slot, int index_fd, struct span_cache **out)
{
	struct span_cache *c = calloc(1, sizeof(*c));
	uint32_t n = index_info(ix)->n_spans;
	int rc;

	if (!c)
		return -ENOMEM;
	c->ready = calloc(n / 64 + 1, 2 * sizeof(*c->ready));
	rc = read_trace_init(&c->trace, n);
	if (rc == 0 && !c->ready)
		rc = -ENOMEM;
	if (rc == 0)
		rc = span_places_open(&c->places, store, slot, ix, index_fd);
	if (rc < 0) {
		read_trace_release(&c->trace);
		free(c->ready);
		free(c);
		return rc;
	}
	c->wrong = c->ready + n / 64 + 1;
	c->index = ix;
	c->blob = blob;
	pthread_mutex_init(&c->mutex, NULL);
	pthread_cond_init(&c->changed, NULL);
	*out = c;
	return 0;
}

void span_cache_free(struct span_cache *c)
{
	if (!c)
		return;
	pthread_mutex_lock(&c->mutex);
	prefetch_release(&c->prefetch);
	while (c->threads > 0)
		pthread_cond_wait(&c->changed, &c->mutex);
	pthread_mutex_unlock(&c->mutex);
	span_fills_release(&c->fills);
	span_places_close(&c->places);
	read_trace_release(&c->trace);
	free(c->ready);
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->mutex);
	free(c);
}

/*
 * In the data file. A process that finds a span damaged (cache verify) clears its row, which
 * all processes check.
 */
static bool span_is_own(const struct span_cache *c, uint32_t span)
{
	return (c->ready[span / 64] >> (span % 64) & 1) &&
	       (!slot_has_map(c->places.file.slot) ||
		slot_is_filled(c->places.file.slot, span));
}

/* The file in which @span can be read; -1: in none yet. */
static int span_ready_in(const struct span_cache *c, uint32_t span)
{
	return span_is_own(c, span) ? span_file_fd(&c->places.file)
				    : span_lower_ready(c->places.lower, span);
}

static bool span_is_ready(const struct span_cache *c, uint32_t span)
{
	return span_ready_in(c, span) >= 0;
}

static void span_set_ready(struct span_cache *c, uint32_t span)
{
	c->ready[span / 64] |= UINT64_C(1) << (span % 64);
}

int span_cache_set_stored(struct span_cache *c, uint64_t end)
{
	uint32_t i, n = index_info(c->index)->n_spans;
	struct span sp;
	int rc;

	for (i = 0; i < n; i++) {
		rc = index_span(c->index, i, &sp);
		if (rc < 0)
			return rc;
		if (sp.out + sp.out_len > end)
			break;
		span_set_ready(c, i);
		span_file_mark(&c->places.file, i, &sp);
	}
	return 0;
}

const struct span_places *span_cache_places(const struct span_cache *c)
{
	return &c->places;
}

void span_cache_count(const struct span_cache *c, uint64_t *spans, uint64_t *bytes)
{
	*spans = __atomic_load_n(&c->n_loaded, __ATOMIC_RELAXED);
	*bytes = __atomic_load_n(&c->n_fetched, __ATOMIC_RELAXED);
}

/* @span was checked, and can be read in @place. */
static void span_mark_ready(struct span_cache *c, int place, uint32_t span,
			    const struct span *sp)
{
	if (place == SPAN_IN_FILE)
		span_file_mark(&c->places.file, span, sp);
	else
		span_lower_set_ready(c->places.lower, place, span);
	pthread_mutex_lock(&c->mutex);
	if (place == SPAN_IN_FILE)
		span_set_ready(c, span);
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->mutex);
}

/* Fills */

/*
 * Keeps the bytes of a single span: in the data file, or else with the fill, which takes
 * @mem.
 */
static void fill_keep(struct span_cache *c, struct span_fill *f, const struct span *sp,
		      char *mem)
{
	if (span_file_save(&c->places.file, f->first, sp, mem)) {
		span_mark_ready(c, SPAN_IN_FILE, f->first, sp);
		free(mem);
		return;
	}
	f->mem = mem;
	f->mem_len = sp->out_len;
}

/* The data file does not take more. */
static void fill_set_full(struct span_cache *c)
{
	pthread_mutex_lock(&c->mutex);
	c->is_full = true;
	pthread_mutex_unlock(&c->mutex);
}

/* A single span that is stored. 0, then @mem is taken, or -ENOENT. */
static int fill_from_places(struct span_cache *c, struct span_fill *f,
			    const struct span *sp, char *mem)
{
	int place, rc = span_places_load(&c->places, f->first, sp, mem, &place);

	if (rc < 0)
		return rc;
	if (place != SPAN_IN_MEMORY) {
		span_mark_ready(c, place, f->first, sp);
		free(mem);
	} else if (store_copies_lower(c->places.file.store)) {
		fill_keep(c, f, sp, mem);
	} else {
		f->mem = mem;
		f->mem_len = sp->out_len;
	}
	return 0;
}

/* Makes one span ready, which a reader waits for. */
static int fill_single(struct span_cache *c, struct span_fill *f)
{
	struct span sp;
	int rc = index_span(c->index, f->first, &sp), tries = 0;
	char *mem;

	if (rc < 0)
		return err_set(&f->err, rc, "its index is damaged");
	mem = malloc(sp.out_len + 1);
	if (!mem)
		return -ENOMEM;
	if (fill_from_places(c, f, &sp, mem) == 0)
		return 0;
	__atomic_fetch_add(&c->n_loaded, 1, __ATOMIC_RELAXED);
	do { /* twice: the transfer may have damaged the bytes */
		__atomic_fetch_add(&c->n_fetched, sp.in_len, __ATOMIC_RELAXED);
		rc = span_load(&sp, c->blob, mem, &f->err);
	} while (rc == -EBADMSG && ++tries < 2);
	if (rc < 0) {
		free(mem);
		return rc;
	}
	span_places_claim(&c->places);
	fill_keep(c, f, &sp, mem);
	if (f->mem)
		fill_set_full(c);
	return 0;
}

static int fill_take_span(void *arg, uint32_t span, const struct span *sp,
			  const void *out)
{
	struct span_cache *c = arg;

	__atomic_fetch_add(&c->n_loaded, 1, __ATOMIC_RELAXED);
	if (span_file_save(&c->places.file, span, sp, out)) {
		span_mark_ready(c, SPAN_IN_FILE, span, sp);
		return 0;
	}
	fill_set_full(c);
	return -ENOSPC;
}

static void prefetch_done(struct span_cache *c, int rc);

static void fill_take_checked(void *arg, uint32_t span, const struct span *sp)
{
	struct span_fill *f = arg;

	span_mark_ready(f->owner, f->place, span, sp);
}

static int fill_run(struct span_cache *c, struct span_fill *f)
{
	if (f->n == 1)
		return fill_single(c, f);
	if (f->kind == FILL_READ_BACK)
		return span_places_check_run(&c->places, f->place, f->first, f->n,
					     fill_take_checked, f);
	span_places_claim(&c->places);
	return batch_load(c->index, c->blob, f->first, f->n, fill_take_span, c,
			  &c->n_fetched);
}

static void *fill_main(void *arg)
{
	struct span_fill *f = arg;
	struct span_cache *c = f->owner;
	int rc = fill_run(c, f);

	pthread_mutex_lock(&c->mutex);
	if (f->kind == FILL_PREFETCH)
		prefetch_done(c, rc);
	f->rc = f->n == 1 ? rc : 0;
	/* Nothing mends that, unless it is the registry that has other bytes now. */
	if (f->rc == -EBADMSG && index_info(c->index)->basis != BASIS_STREAM)
		c->wrong[f->first / 64] |= UINT64_C(1) << (f->first % 64);
	f->is_done = true;
	if (f->mem) {
		span_fills_trim(&c->fills, f);
	} else {
		span_fills_remove(&c->fills, f);
		f->refs--; /* the list's; the thread's reference is dropped below */
	}
	span_fill_unref(f);
	c->threads--;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->mutex);
	return NULL;
}

static int fill_start(struct span_cache *c, enum fill_kind kind, uint32_t first,
		      uint32_t n, int place, struct span_fill **out)
{
	struct span_fill *f = calloc(1, sizeof(*f));
	pthread_t thread;
	int rc;

	if (!f)
		return -ENOMEM;
	f->owner = c;
	f->kind = kind;
	f->place = place;
	f->first = first;
	f->n = n;
	f->refs = 2;
	rc = -pthread_create(&thread, NULL, fill_main, f);
	if (rc < 0) {
		free(f);
		return rc;
	}
	pthread_detach(thread);
	c->threads++;
	span_fills_add(&c->fills, f);
	*out = f;
	return 0;
}

/* Choosing the spans to fill; the caller has the lock */

/*
 * The number of spans from @first on that belong to a run of @bytes and are neither available
 * nor under way.
 */
static uint32_t run_len(const struct span_cache *c, uint32_t first, uint64_t bytes)
{
	uint64_t end = 0;
	struct span sp;
	uint32_t at;

	for (at = first; index_span(c->index, at, &sp) == 0; at++) {
		if (at == first)
			end = ahead_run_end(sp.out, sp.out_len, bytes);
		if (sp.out >= end || span_is_ready(c, at) ||
		    span_places_find(&c->places, at, &sp) != SPAN_NOWHERE ||
		    span_fills_find(&c->fills, at))
			break;
	}
	return at - first;
}

/*
 * Spans with the same input are decoded from its start. Returns the first of those before
 * @span that is missing, because all on the way to @span are decoded anyway.
 */
static uint32_t first_on_way(const struct span_cache *c, uint32_t span)
{
	uint32_t first = span;
	struct span sp;

	while (first > 0 && index_span(c->index, first, &sp) == 0 && sp.skip > 0 &&
	       !span_is_ready(c, first - 1) && !span_fills_find(&c->fills, first - 1))
		first--;
	return first;
}

/* @span is in @place, and perhaps those behind it. */
static int start_read_back(struct span_cache *c, uint32_t span, int place,
			   struct span_fill **out)
{
	uint32_t at = span + 1;
	struct span sp;
	uint64_t len = 0;

	if (span_places_is_lasting(&c->places, place)) {
		for (at = span; index_span(c->index, at, &sp) == 0; at++) {
			len += sp.out_len;
			if (len > SPAN_TARGET || span_is_ready(c, at) ||
			    span_places_find(&c->places, at, &sp) != place ||
			    span_fills_find(&c->fills, at))
				break;
		}
	}
	return fill_start(c, FILL_READ_BACK, span, at > span ? at - span : 1, place, out);
}

/* Starts the reader's next run. */
static void start_ahead(struct span_cache *c, struct ahead_reader *r)
{
	uint32_t n = run_len(c, r->end, r->bytes);
	struct span_fill *f;

	if (n == 0) /* this span is available: look behind it next time */
		r->end++;
	else if (fill_start(c, FILL_FETCH, r->end, n, SPAN_NOWHERE, &f) == 0)
		ahead_began(r, r->end, n);
}

/* @span is missing. Starts a fill that brings it and what is likely to be read next. */
static int start_for_miss(struct span_cache *c, uint32_t span, struct span_fill **out)
{
	struct ahead_reader *r;
	uint32_t first, n, end;
	struct span sp;
	int rc, place = SPAN_NOWHERE;

	if (index_span(c->index, span, &sp) == 0)
		place = span_places_find(&c->places, span, &sp);
	if (place != SPAN_NOWHERE)
		return start_read_back(c, span, place, out);
	if (c->is_full || !span_file_can_keep(&c->places.file))
		return fill_start(c, FILL_FETCH, span, 1, SPAN_NOWHERE, out);
	r = ahead_on_miss(&c->ahead, c->index, span);
	first = first_on_way(c, span);
	n = span - first + run_len(c, span, r->bytes);
	/*
	 * The way to the next part would lead through this one again, and the fetched
	 * input has all parts. So go on to the end, unless that is far and nobody has
	 * read on yet. Then go on as far again as the way to @span was: the reader does
	 * not wait for that.
	 */
	end = batch_input_end(c->index, span);
	if (end - first > n &&
	    (r->bytes > SPAN_TARGET || batch_input_is_short(c->index, span)))
		n = end - first;
	else if (end - first > n)
		n = end - first - n < span - first ? end - first : n + span - first;
	ahead_began_for(r, first, n, span);
	rc = fill_start(c, FILL_FETCH, first, n, SPAN_NOWHERE, out);
	return rc;
}

/* Starts the next run of the prefetch, if there is one. */
static bool prefetch_next(struct span_cache *c)
{
	struct span_run *run;
	struct span_fill *f;
	uint32_t n = 0;

	while (!c->is_full && (run = prefetch_head(&c->prefetch)) && n == 0) {
		n = run_len(c, run->at, PREFETCH_RUN);
		if (n > run->end - run->at)
			n = run->end - run->at;
		run->at += n ? n : 1;
		if (n > 0 &&
		    fill_start(c, FILL_PREFETCH, run->at - n, n, SPAN_NOWHERE, &f) < 0)
			return false;
	}
	c->prefetch.threads += n > 0;
	return n > 0;
}

/* A run has ended. If it failed, the registry is not asked for more that nobody needs yet. */
static void prefetch_done(struct span_cache *c, int rc)
{
	c->prefetch.threads--;
	if (rc < 0)
		prefetch_release(&c->prefetch);
	else
		(void)prefetch_next(c);
}

void span_cache_prefetch(struct span_cache *c, const struct byte_range *r,
			 uint64_t *budget)
{
	if (!span_file_can_keep(&c->places.file))
		return;
	pthread_mutex_lock(&c->mutex);
	prefetch_add(&c->prefetch, c->index, r, budget);
	while (c->prefetch.threads < PREFETCH_THREADS && prefetch_next(c))
		;
	pthread_mutex_unlock(&c->mutex);
}

struct read_trace *span_cache_trace(struct span_cache *c)
{
	return &c->trace;
}

/* @span is being read. Makes sure that what follows is under way. */
static void continue_ahead(struct span_cache *c, uint32_t span)
{
	struct ahead_reader *r = c->is_full ? NULL
					    : ahead_on_hit(&c->ahead, c->index, span);

	if (r)
		start_ahead(c, r);
}

/* Waits, with the lock held, for the fill that is to bring @span. */
static int fill_wait(struct span_cache *c, struct span_fill *f, uint32_t span,
		     const bool *cancelled, struct err *e)
{
	while (!f->is_done && !span_is_ready(c, span)) {
		if (cancelled && __atomic_load_n(cancelled, __ATOMIC_RELAXED))
			return err_set(e, -EINTR, "interrupted");
		pthread_cond_wait(&c->changed, &c->mutex);
	}
	if (!f->is_done || f->rc == 0)
		return 0;
	return err_set(e, f->rc, "%s", f->err.text[0] ? f->err.text : strerror(-f->rc));
}

static int span_cache_get_locked(struct span_cache *c, uint32_t span,
				 const bool *cancelled, struct span_fill **pin, int *fd,
				 struct err *e)
{
	unsigned tries;

	for (tries = 0; (*fd = span_ready_in(c, span)) < 0; tries++) {
		struct span_fill *f = span_fills_find(&c->fills, span);
		int rc = 0;

		if (c->wrong[span / 64] >> (span % 64) & 1)
			return err_set(e, -EBADMSG,
				       "span %u does not match the table of contents",
				       span);
		/*
		 * After a run that did not bring the span, neither start nor await
		 * another run: there may be one after another, and all may fail as slowly
		 * as the network allows.
		 */
		if (!f || (tries && f->n > 1))
			rc = tries ? fill_start(c, FILL_FETCH, span, 1, SPAN_NOWHERE, &f)
				   : start_for_miss(c, span, &f);
		if (rc < 0)
			return err_set(e, rc, "cannot read a span: %s", strerror(-rc));
		f->refs++;
		rc = fill_wait(c, f, span, cancelled, e);
		if (rc == 0 && f->mem) {
			*pin = f;
			return 0;
		}
		span_fill_unref(f);
		if (rc < 0)
			return rc;
	}
	slot_touch(c->places.file.slot, span);
	continue_ahead(c, span);
	return 0;
}

int span_cache_get(struct span_cache *c, uint32_t span, const bool *cancelled,
		   struct span_fill **pin, const void **mem, int *fd, struct err *e)
{
	int rc;

	*pin = NULL;
	read_trace_note(&c->trace, c->index, span);
	pthread_mutex_lock(&c->mutex);
	rc = span_cache_get_locked(c, span, cancelled, pin, fd, e);
	pthread_mutex_unlock(&c->mutex);
	if (*pin)
		*mem = (*pin)->mem;
	return rc;
}

bool span_cache_has(struct span_cache *c, uint32_t span)
{
	bool has;

	pthread_mutex_lock(&c->mutex);
	has = span_is_ready(c, span);
	pthread_mutex_unlock(&c->mutex);
	return has;
}

void span_cache_unpin(struct span_cache *c, struct span_fill *pin)
{
	if (!pin)
		return;
	pthread_mutex_lock(&c->mutex);
	span_fill_unref(pin);
	pthread_mutex_unlock(&c->mutex);
}

void span_cache_wake(struct span_cache *c)
{
	pthread_mutex_lock(&c->mutex);
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->mutex);
}
