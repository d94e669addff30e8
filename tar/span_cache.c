/* SPDX-License-Identifier: MIT */
/*
 * A span is ready when its bytes are in the store's data file and this process has
 * seen that they are right: it wrote them itself, or has read them back once and
 * found the checksum of the index. Ready spans are read without a lock held for
 * longer than looking that up.
 *
 * Any other span is made ready by a fill: a thread that reads back, or fetches and
 * decodes, and writes to the data file. A fill is for a run of spans, so that what is
 * likely to be read next comes with one request (ahead.h says how much). There is one
 * fill for a span at a time, unless runs fail; those who want the span wait for it, and may
 * go away while it goes on. Once what was fetched ahead is read, the next run is begun beside it.
 *
 * Errors end a run early and in silence; whoever wants a span of it asks for that one
 * alone, and is told. Where the data file cannot take a span (a full disk), a fill for
 * that span alone keeps its bytes in memory, and a few such fills are kept, for the next
 * read is mostly of the same span.
 */
#include "tar/span_cache.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/num.h"
#include "base/source.h"
#include "base/store/store.h"
#include "tar/ahead.h"
#include "tar/batch.h"
#include "tar/codec/checksum.h"
#include "tar/index/index.h"

/* Bytes that are in memory alone, beside those of the newest fill and what readers hold. */
#define KEEP_IN_MEMORY (16u << 20)

/* What is fetched unasked: as much as one who asked for it could wait for, a little at a time. */
#define PREFETCH_MAX (64u << 20)
#define PREFETCH_RUN (2u << 20)

enum fill_kind {
	FILL_FETCH,
	FILL_PREFETCH, /* unasked; goes on with what is behind it */
	FILL_BACK,     /* from the data file */
};

struct span_fill {
	struct span_fill *next;
	struct span_cache *owner;
	uint32_t first; /* spans [first, first + n) */
	uint32_t n;
	unsigned refs; /* waiters, the list, and the thread while it is at it */
	enum fill_kind kind;
	bool done;
	int rc; /* of a fill for one span; a run has no errors */
	struct err err;
	char *mem; /* of one span: its bytes, if they are not in the data file */
	uint64_t mem_len;
};

struct span_cache {
	const struct index *index;
	struct source *blob;
	struct store *store;
	struct slot *slot;
	int data_fd;
	uint64_t n_loaded;  /* atomic */
	uint64_t n_fetched; /* bytes; atomic */

	pthread_mutex_t mutex; /* guards all below */
	pthread_cond_t changed;
	/* newest first; done ones stay while their bytes are in memory */
	struct span_fill *list;
	unsigned threads;
	bool full;	 /* the data file takes no more: no use in reading ahead */
	uint64_t *ready; /* one bit a span */
	struct ahead ahead;
	/* spans [prefetch, prefetch_end) are to be fetched unasked */
	uint32_t prefetch;
	uint32_t prefetch_end;
};

static void fill_unref(struct span_fill *f)
{
	if (--f->refs > 0)
		return;
	free(f->mem);
	free(f);
}

int span_cache_new(const struct index *ix, struct source *blob, struct store *store,
		   struct slot *slot, int data_fd, struct span_cache **out)
{
	struct span_cache *fs = calloc(1, sizeof(*fs));

	if (!fs)
		return -ENOMEM;
	fs->ready = calloc(index_info(ix)->n_spans / 64 + 1, sizeof(*fs->ready));
	if (!fs->ready) {
		free(fs);
		return -ENOMEM;
	}
	fs->index = ix;
	fs->blob = blob;
	fs->store = store;
	fs->slot = slot;
	fs->data_fd = data_fd;
	pthread_mutex_init(&fs->mutex, NULL);
	pthread_cond_init(&fs->changed, NULL);
	*out = fs;
	return 0;
}

void span_cache_free(struct span_cache *fs)
{
	struct span_fill *f, *next;

	if (!fs)
		return;
	pthread_mutex_lock(&fs->mutex);
	fs->prefetch_end = 0;
	while (fs->threads > 0)
		pthread_cond_wait(&fs->changed, &fs->mutex);
	pthread_mutex_unlock(&fs->mutex);
	for (f = fs->list; f; f = next) {
		next = f->next;
		fill_unref(f);
	}
	free(fs->ready);
	pthread_cond_destroy(&fs->changed);
	pthread_mutex_destroy(&fs->mutex);
	free(fs);
}

/* Whoever finds a span damaged (cache verify) clears its row, which all heed. */
static bool is_ready(const struct span_cache *fs, uint32_t span)
{
	return (fs->ready[span / 64] >> (span % 64) & 1) &&
	       (!slot_has_map(fs->slot) || slot_is_filled(fs->slot, span));
}

static void set_ready(struct span_cache *fs, uint32_t span)
{
	fs->ready[span / 64] |= UINT64_C(1) << (span % 64);
}

int span_cache_set_kept(struct span_cache *fs, uint64_t kept)
{
	uint32_t i, n = index_info(fs->index)->n_spans;
	struct span sp;
	int rc;

	for (i = 0; i < n; i++) {
		rc = index_span(fs->index, i, &sp);
		if (rc < 0)
			return rc;
		if (sp.out + sp.out_len > kept)
			break;
		set_ready(fs, i);
		slot_set_filled(fs->slot, i, sp.out, (uint32_t)sp.out_len);
	}
	return 0;
}

void span_cache_count(const struct span_cache *fs, uint64_t *spans, uint64_t *bytes)
{
	*spans = __atomic_load_n(&fs->n_loaded, __ATOMIC_RELAXED);
	*bytes = __atomic_load_n(&fs->n_fetched, __ATOMIC_RELAXED);
}

/* Reading back and writing, outside the lock */

bool span_cache_check(const struct slot *slot, uint32_t i, const struct span *sp,
		      const void *mem)
{
	if (span_can_check(sp))
		return span_check(sp, mem) == 0;
	return checksum(0, mem, (size_t)sp->out_len) == slot_word(slot, i);
}

static bool write_data(struct span_cache *fs, uint32_t span, const struct span *sp,
		       const char *mem)
{
	if (fs->data_fd < 0 ||
	    !store_keep(fs->store, fs->data_fd, mem, (size_t)sp->out_len, sp->out))
		return false;
	if (!span_can_check(sp))
		slot_set_word(fs->slot, span, checksum(0, mem, (size_t)sp->out_len));
	return true;
}

static void mark_ready(struct span_cache *fs, uint32_t span, const struct span *sp)
{
	slot_set_filled(fs->slot, span, sp->out, (uint32_t)sp->out_len);
	pthread_mutex_lock(&fs->mutex);
	set_ready(fs, span);
	pthread_cond_broadcast(&fs->changed);
	pthread_mutex_unlock(&fs->mutex);
}

/* Fills */

/* One span, which someone waits for. */
static int fill_one(struct span_cache *fs, struct span_fill *f)
{
	struct span sp;
	int rc = index_span(fs->index, f->first, &sp);
	char *mem;

	if (rc < 0)
		return err_set(&f->err, rc, "its index is damaged");
	mem = malloc(sp.out_len + 1);
	if (!mem)
		return -ENOMEM;
	if (fs->data_fd >= 0 && slot_is_filled(fs->slot, f->first)) {
		if (fd_read_all(fs->data_fd, mem, (size_t)sp.out_len, sp.out) == 0 &&
		    span_cache_check(fs->slot, f->first, &sp, mem)) {
			free(mem);
			mark_ready(fs, f->first, &sp);
			return 0;
		}
		slot_set_filled(fs->slot, f->first, 0, 0);
	}
	__atomic_fetch_add(&fs->n_loaded, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&fs->n_fetched, sp.in_len, __ATOMIC_RELAXED);
	rc = span_load(&sp, fs->blob, mem, &f->err);
	if (rc == 0 && !write_data(fs, f->first, &sp, mem)) {
		f->mem = mem;
		f->mem_len = sp.out_len;
		return 0;
	}
	free(mem);
	if (rc == 0)
		mark_ready(fs, f->first, &sp);
	return rc;
}

/*
 * Spans that the data file has, one behind the other. What is not right is not there: whoever
 * wants it asks for it alone.
 */
static int fill_back(struct span_cache *fs, struct span_fill *f)
{
	struct span first, sp;
	uint32_t i = f->first, end = f->first + f->n;
	uint64_t start, len;
	char *mem;
	int rc;

	rc = index_span(fs->index, i, &first);
	if (rc == 0)
		rc = index_span(fs->index, end - 1, &sp);
	if (rc < 0)
		return rc;
	start = first.out;
	len = sp.out + sp.out_len - start;
	mem = malloc(len);
	if (!mem)
		return -ENOMEM;
	rc = fd_read_all(fs->data_fd, mem, len, start);
	for (; rc == 0 && i < end; i++) {
		rc = index_span(fs->index, i, &sp);
		if (rc == 0 && range_fits(sp.out - start, sp.out_len, len) &&
		    span_cache_check(fs->slot, i, &sp, mem + (sp.out - start)))
			mark_ready(fs, i, &sp);
		else
			slot_set_filled(fs->slot, i, 0, 0);
	}
	free(mem);
	return rc;
}

static int take_span(void *arg, uint32_t span, const struct span *sp, const void *out)
{
	struct span_cache *fs = arg;

	__atomic_fetch_add(&fs->n_loaded, 1, __ATOMIC_RELAXED);
	if (write_data(fs, span, sp, out)) {
		mark_ready(fs, span, sp);
		return 0;
	}
	pthread_mutex_lock(&fs->mutex);
	fs->full = true;
	pthread_mutex_unlock(&fs->mutex);
	return -ENOSPC;
}

/* Off the list, whose reference the caller has now. */
static void unlink_fill(struct span_cache *fs, struct span_fill *f)
{
	struct span_fill **link = &fs->list;

	while (*link != f)
		link = &(*link)->next;
	*link = f->next;
}

/* Lets go of what is kept in memory beside @newest, but for the last of it. */
static void trim_memory(struct span_cache *fs, const struct span_fill *newest)
{
	struct span_fill **link = &fs->list, *f;
	uint64_t kept = 0;

	while ((f = *link)) {
		if (f->done && f != newest)
			kept += f->mem_len;
		if (f->done && f != newest && kept > KEEP_IN_MEMORY) {
			*link = f->next;
			fill_unref(f);
		} else {
			link = &f->next;
		}
	}
}

static void prefetch_on(struct span_cache *fs);

static void *fill_main(void *arg)
{
	struct span_fill *f = arg;
	struct span_cache *fs = f->owner;
	int rc = 0;

	if (f->n == 1)
		rc = fill_one(fs, f);
	else if (f->kind == FILL_BACK)
		rc = fill_back(fs, f);
	else
		rc = batch_load(fs->index, fs->blob, f->first, f->n, take_span, fs,
				&fs->n_fetched);

	pthread_mutex_lock(&fs->mutex);
	if (f->kind == FILL_PREFETCH && rc == 0)
		prefetch_on(fs);
	f->rc = f->n == 1 ? rc : 0;
	f->done = true;
	if (f->mem) {
		fs->full = true;
		trim_memory(fs, f);
	} else {
		unlink_fill(fs, f);
		f->refs--; /* the list's; the thread's goes below */
	}
	fill_unref(f);
	fs->threads--;
	pthread_cond_broadcast(&fs->changed);
	pthread_mutex_unlock(&fs->mutex);
	return NULL;
}

static struct span_fill *find_fill(const struct span_cache *fs, uint32_t span)
{
	struct span_fill *f;

	for (f = fs->list; f; f = f->next) {
		if (span >= f->first && span - f->first < f->n)
			return f;
	}
	return NULL;
}

static int start_fill(struct span_cache *fs, enum fill_kind kind, uint32_t first,
		      uint32_t n, struct span_fill **out)
{
	struct span_fill *f = calloc(1, sizeof(*f));
	pthread_t thread;
	int rc;

	if (!f)
		return -ENOMEM;
	f->owner = fs;
	f->kind = kind;
	f->first = first;
	f->n = n;
	f->refs = 2;
	rc = -pthread_create(&thread, NULL, fill_main, f);
	if (rc < 0) {
		free(f);
		return rc;
	}
	pthread_detach(thread);
	fs->threads++;
	f->next = fs->list;
	fs->list = f;
	*out = f;
	return 0;
}

/* Which spans to fill, all with the lock held */

/* How many from @first on are wanted, and neither there nor on their way. */
static uint32_t run_length(const struct span_cache *fs, uint32_t first, uint64_t bytes)
{
	struct span sp;
	uint32_t at;

	for (at = first; index_span(fs->index, at, &sp) == 0; at++) {
		if (is_ready(fs, at) || slot_is_filled(fs->slot, at) || find_fill(fs, at))
			break;
		if (sp.out_len >= bytes)
			return at + 1 - first;
		bytes -= sp.out_len;
	}
	return at - first;
}

/*
 * For a span that is made from where others are made too, all that is passed on the way
 * to it: the first one that is not there.
 */
static uint32_t first_on_the_way(const struct span_cache *fs, uint32_t span)
{
	uint32_t first = span;
	struct span sp;

	while (first > 0 && index_span(fs->index, first, &sp) == 0 && sp.skip > 0 &&
	       !is_ready(fs, first - 1) && !find_fill(fs, first - 1))
		first--;
	return first;
}

/* Behind the last of the spans that are made from the same input as @span. */
static uint32_t end_of_input(const struct span_cache *fs, uint32_t span)
{
	uint32_t end = span + 1;
	struct span sp;

	while (index_span(fs->index, end, &sp) == 0 && sp.skip > 0)
		end++;
	return end;
}

static bool is_short_input(const struct span_cache *fs, uint32_t span)
{
	struct span sp;

	return index_span(fs->index, span, &sp) == 0 && sp.in_len <= SPAN_TARGET;
}

/* @span is in the data file, and so may be those behind it. */
static int start_back(struct span_cache *fs, uint32_t span, struct span_fill **out)
{
	uint64_t left = SPAN_TARGET;
	struct span sp;
	uint32_t at;

	for (at = span; index_span(fs->index, at, &sp) == 0 && sp.out_len <= left; at++) {
		if (is_ready(fs, at) || !slot_is_filled(fs->slot, at) ||
		    find_fill(fs, at))
			break;
		left -= sp.out_len;
	}
	return start_fill(fs, FILL_BACK, span, at > span ? at - span : 1, out);
}

/* The reader's next run. */
static void start_ahead(struct span_cache *fs, struct ahead_reader *r)
{
	uint32_t n = run_length(fs, r->end, r->bytes);
	struct span_fill *f;

	if (n == 0) /* this one is there: look behind it the next time */
		r->end++;
	else if (start_fill(fs, FILL_FETCH, r->end, n, &f) == 0)
		ahead_began(r, r->end, n);
}

/* @span is not there: begins a fill that brings it, and what will be read next. */
static int start_for_miss(struct span_cache *fs, uint32_t span, struct span_fill **out)
{
	struct ahead_reader *r;
	uint32_t first, n, end;
	int rc;

	if (fs->data_fd >= 0 && slot_is_filled(fs->slot, span))
		return start_back(fs, span, out);
	if (fs->full || fs->data_fd < 0)
		return start_fill(fs, FILL_FETCH, span, 1, out);
	r = ahead_on_miss(&fs->ahead, fs->index, span);
	first = first_on_the_way(fs, span);
	n = span - first + run_length(fs, span, r->bytes);
	/*
	 * The way to the next part would lead through this one again, and what is fetched for
	 * this one is fetched for all: go to the end, unless that is far and not yet asked for.
	 * Then as far again as the way here was: who waits does not wait for that.
	 */
	end = end_of_input(fs, span);
	if (end - first > n && (r->bytes > SPAN_TARGET || is_short_input(fs, span)))
		n = end - first;
	else if (end - first > n)
		n = end - first - n < span - first ? end - first : n + span - first;
	ahead_began_for(r, first, n, span);
	rc = start_fill(fs, FILL_FETCH, first, n, out);
	/* The link has work while this one is on its way. */
	if (rc == 0 && r->goes_on && r->end < index_info(fs->index)->n_spans)
		start_ahead(fs, r);
	return rc;
}

/* The next run that is fetched unasked, if there is one. */
static void prefetch_on(struct span_cache *fs)
{
	uint32_t n = 0;
	struct span_fill *f;

	while (fs->prefetch < fs->prefetch_end && !fs->full && n == 0) {
		n = run_length(fs, fs->prefetch, PREFETCH_RUN);
		if (n > fs->prefetch_end - fs->prefetch)
			n = fs->prefetch_end - fs->prefetch;
		fs->prefetch += n ? n : 1;
	}
	if (n > 0)
		(void)start_fill(fs, FILL_PREFETCH, fs->prefetch - n, n, &f);
}

void span_cache_prefetch(struct span_cache *fs, uint64_t end)
{
	uint32_t last;

	if (end > PREFETCH_MAX)
		end = PREFETCH_MAX;
	if (end == 0 || fs->data_fd < 0 || index_span_at(fs->index, end - 1, &last) < 0)
		return;
	pthread_mutex_lock(&fs->mutex);
	fs->prefetch_end = last + 1;
	prefetch_on(fs);
	pthread_mutex_unlock(&fs->mutex);
}

/* @span is read and there: see that what comes behind it is on its way. */
static void read_on(struct span_cache *fs, uint32_t span)
{
	struct ahead_reader *r = fs->full ? NULL
					  : ahead_on_hit(&fs->ahead, fs->index, span);

	if (r)
		start_ahead(fs, r);
}

/* Waits, with the lock held, for one fill that is to bring the span. */
static int wait_for_fill(struct span_cache *fs, struct span_fill *f, uint32_t span,
			 const bool *cancelled, struct err *e)
{
	while (!f->done && !is_ready(fs, span)) {
		if (cancelled && __atomic_load_n(cancelled, __ATOMIC_RELAXED))
			return err_set(e, -EINTR, "interrupted");
		pthread_cond_wait(&fs->changed, &fs->mutex);
	}
	if (!f->done || f->rc == 0)
		return 0;
	return err_set(e, f->rc, "%s", f->err.text[0] ? f->err.text : strerror(-f->rc));
}

static int get_locked(struct span_cache *fs, uint32_t span, const bool *cancelled,
		      struct span_fill **hold, struct err *e)
{
	unsigned tries;

	for (tries = 0; !is_ready(fs, span); tries++) {
		struct span_fill *f = find_fill(fs, span);
		int rc = 0;

		/*
		 * A run that did not bring it is not tried again, nor is another waited for:
		 * there may be one after another, and all fail as slowly as the network may.
		 */
		if (!f || (tries && f->n > 1))
			rc = tries ? start_fill(fs, FILL_FETCH, span, 1, &f)
				   : start_for_miss(fs, span, &f);
		if (rc < 0)
			return err_set(e, rc, "cannot read a span: %s", strerror(-rc));
		f->refs++;
		rc = wait_for_fill(fs, f, span, cancelled, e);
		if (rc == 0 && f->mem) {
			*hold = f;
			return 0;
		}
		fill_unref(f);
		if (rc < 0)
			return rc;
	}
	slot_touch(fs->slot, span);
	read_on(fs, span);
	return 0;
}

int span_cache_get(struct span_cache *fs, uint32_t span, const bool *cancelled,
		   struct span_fill **hold, const void **mem, struct err *e)
{
	int rc;

	*hold = NULL;
	pthread_mutex_lock(&fs->mutex);
	rc = get_locked(fs, span, cancelled, hold, e);
	pthread_mutex_unlock(&fs->mutex);
	if (*hold)
		*mem = (*hold)->mem;
	return rc;
}

bool span_cache_has(struct span_cache *fs, uint32_t span)
{
	bool has;

	pthread_mutex_lock(&fs->mutex);
	has = is_ready(fs, span);
	pthread_mutex_unlock(&fs->mutex);
	return has;
}

void span_cache_unhold(struct span_cache *fs, struct span_fill *hold)
{
	if (!hold)
		return;
	pthread_mutex_lock(&fs->mutex);
	fill_unref(hold);
	pthread_mutex_unlock(&fs->mutex);
}

void span_cache_wake(struct span_cache *fs)
{
	pthread_mutex_lock(&fs->mutex);
	pthread_cond_broadcast(&fs->changed);
	pthread_mutex_unlock(&fs->mutex);
}
