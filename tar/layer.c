/* SPDX-License-Identifier: MIT */
/*
 * Reading a layer by spans.
 *
 * A span is ready when its bytes are in the store's data file and this process has
 * seen that they are right: it wrote them itself, or has read them back once and
 * found the checksum of the index. Ready spans are read without a lock held for
 * longer than looking that up.
 *
 * Any other span is made ready by a fill: a thread that reads back, or fetches and
 * decodes, and writes to the data file. A fill is for a run of spans, so that what is
 * likely to be read next comes with one request. There is one fill for a span at a
 * time; those who want the span wait for it, and may go away while it goes on. Where
 * the data file cannot take a span (a full disk), a fill for that span alone keeps its
 * bytes in memory, and a few such fills are kept, for the next read is mostly of the
 * same span.
 *
 * How long a run: a reader that goes through a layer, in order or nearly so, doubles
 * it with each fill, and once it reads what was fetched ahead the next run is begun
 * beside it. A read elsewhere fetches one span. Errors end a run early and in silence;
 * whoever wants a span of it asks for that one alone, and is told.
 */
#include "tar/layer.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/num.h"
#include "base/source.h"
#include "base/store.h"
#include "tar/pass.h"

/* Fills whose bytes are in memory alone: 16 MiB of ordinary spans. */
#define KEEP_IN_MEMORY 16

/* The longest run, in bytes of output: 1 s of a slow link, and as much memory. */
#define RUN_MAX	  (16u << 20)

/*
 * Readers that go through a layer, told apart by where they are; as many as one
 * person has going at a time.
 */
#define N_READERS 4

/* So near, in bytes of output, is the same reader: directories are not in archive order. */
#define NEAR	  (32u << 20)

struct reader_state {
	uint32_t first; /* its last run: spans [first, end) */
	uint32_t end;
	uint64_t bytes; /* how long the next run is to be */
	bool ahead;	/* the run behind this one was begun */
	uint64_t used;	/* for choosing the one to forget */
};

struct fill {
	struct fill *next;
	struct layer *layer;
	uint32_t first; /* spans [first, first + n) */
	uint32_t n;
	unsigned refs;	/* waiters, the list, and the thread while it is at it */
	bool done;
	int rc;		/* of a fill for one span; a run has no errors */
	struct err err;
	char *mem;	/* of one span: its bytes, if they are not in the data file */
};

struct layer {
	struct store *store; /* borrowed */
	struct source *blob;
	struct digest digest;
	struct slot *slot;
	struct index *index; /* NULL until LAYER_READY; then never changes */
	int data_fd;	     /* the slot's; -1: nothing is kept on disk */
	enum layer_state state; /* atomic */
	bool was_stored;
	uint32_t milliseconds;
	struct pass pass; /* its counters are atomic */
	uint64_t fetched; /* by spans; atomic */
	uint64_t spans_read;
	struct err error;

	pthread_mutex_t mutex; /* guards all below */
	pthread_cond_t changed;
	struct fill *fills; /* newest first; done ones stay while their bytes are in memory */
	unsigned threads;
	bool full;	 /* the data file takes no more: no use in reading ahead */
	uint64_t *ready; /* one bit a span */
	struct reader_state readers[N_READERS];
	uint64_t clock; /* of reader_state.used */
};

int layer_new(struct store *store, const struct digest *digest, struct source *blob,
	      struct layer **out)
{
	struct layer *l = calloc(1, sizeof(*l));

	if (!l) {
		source_unref(blob);
		return -ENOMEM;
	}
	l->store = store;
	l->blob = blob;
	l->digest = *digest;
	l->data_fd = -1;
	pthread_mutex_init(&l->mutex, NULL);
	pthread_cond_init(&l->changed, NULL);
	*out = l;
	return 0;
}

static void fill_unref(struct fill *f)
{
	if (--f->refs > 0)
		return;
	free(f->mem);
	free(f);
}

void layer_free(struct layer *l)
{
	struct fill *f, *next;

	if (!l)
		return;
	pthread_mutex_lock(&l->mutex);
	while (l->threads > 0)
		pthread_cond_wait(&l->changed, &l->mutex);
	pthread_mutex_unlock(&l->mutex);
	for (f = l->fills; f; f = next) {
		next = f->next;
		fill_unref(f);
	}
	free(l->ready);
	index_close(l->index);
	slot_close(l->slot);
	source_unref(l->blob);
	pthread_cond_destroy(&l->changed);
	pthread_mutex_destroy(&l->mutex);
	free(l);
}

const struct digest *layer_digest(const struct layer *l)
{
	return &l->digest;
}

const struct index *layer_index(const struct layer *l)
{
	return __atomic_load_n(&l->state, __ATOMIC_ACQUIRE) == LAYER_READY ? l->index : NULL;
}

const char *layer_error(const struct layer *l)
{
	return __atomic_load_n(&l->state, __ATOMIC_ACQUIRE) == LAYER_BROKEN ? l->error.text : "";
}

void layer_progress(const struct layer *l, struct layer_progress *out)
{
	uint64_t first_pass = __atomic_load_n(&l->pass.done, __ATOMIC_RELAXED);

	*out = (struct layer_progress){
		.state = __atomic_load_n(&l->state, __ATOMIC_ACQUIRE),
		.blob_size = l->blob->size,
		.blob_done = first_pass,
		.fetched = first_pass + __atomic_load_n(&l->fetched, __ATOMIC_RELAXED),
		.spans_read = __atomic_load_n(&l->spans_read, __ATOMIC_RELAXED),
		.decoded = __atomic_load_n(&l->pass.decoded, __ATOMIC_RELAXED),
		.entries = __atomic_load_n(&l->pass.entries, __ATOMIC_RELAXED),
	};
	if (out->state != LAYER_READY)
		return;
	out->was_stored = l->was_stored;
	out->milliseconds = l->milliseconds;
	out->decoded = index_info(l->index)->decoded_size;
	out->entries = index_info(l->index)->n_entries;
	if (l->was_stored)
		out->blob_done = l->blob->size;
}

/* Getting the index */

static bool is_ready(const struct layer *l, uint32_t span)
{
	return l->ready[span / 64] >> (span % 64) & 1;
}

static void set_ready(struct layer *l, uint32_t span)
{
	l->ready[span / 64] |= UINT64_C(1) << (span % 64);
}

/* What the first pass wrote is in the data file, and right: this process decoded it. */
static int mark_kept(struct layer *l)
{
	uint32_t i, n = index_info(l->index)->n_spans;
	struct span sp;
	int rc;

	for (i = 0; i < n; i++) {
		rc = index_span(l->index, i, &sp);
		if (rc < 0)
			return rc;
		if (sp.out + sp.out_len > l->pass.kept)
			break;
		set_ready(l, i);
		slot_set_filled(l->slot, i, sp.out, (uint32_t)sp.out_len);
	}
	return 0;
}

/* Takes @fd. The layer is usable after this. */
static int use_index(struct layer *l, int fd, struct err *e)
{
	struct index *ix = NULL;
	int rc = index_open(fd, &l->digest, &ix, e);

	if (rc < 0)
		return rc;
	if (index_info(ix)->blob_size != l->blob->size) {
		index_close(ix);
		return err_set(e, -EBADMSG, "an index for a blob of another size");
	}
	/* Damage is found now, when it can be mended: later it could only be told as EIO. */
	rc = index_verify(ix);
	if (rc < 0) {
		index_close(ix);
		return err_set(e, rc, "an index is damaged");
	}
	free(l->ready);
	l->ready = calloc(index_info(ix)->n_spans / 64 + 1, sizeof(*l->ready));
	if (!l->ready) {
		index_close(ix);
		return -ENOMEM;
	}
	/* Without a data file spans live in memory; without a map, for this process alone. */
	l->data_fd = slot_data(l->slot);
	if (l->data_fd < 0)
		l->data_fd = -1;
	else
		(void)slot_map(l->slot, index_info(ix)->n_spans);
	l->index = ix;
	return 0;
}

/* -ENOENT: there is none, or none that is of use. */
static int use_stored_index(struct layer *l)
{
	int fd = slot_open_index(l->slot), rc;

	if (fd < 0)
		return -ENOENT;
	rc = use_index(l, fd, NULL);
	l->was_stored = rc == 0;
	return rc == -ENOMEM ? rc : rc < 0 ? -ENOENT : 0;
}

static int build_index(struct layer *l, const bool *cancelled, struct err *e)
{
	int fd, own, rc;

	slot_drop(l->slot);
	fd = slot_new_index(l->slot);
	if (fd < 0)
		return err_set(e, fd, "no place for an index: %s", strerror(-fd));
	l->pass.blob = l->blob;
	l->pass.digest = &l->digest;
	l->pass.index_fd = fd;
	l->pass.data_fd = slot_data(l->slot);
	l->pass.store = l->store;
	l->pass.cancelled = cancelled;
	rc = pass_run(&l->pass, e);
	if (rc < 0)
		goto out;
	own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	rc = own < 0 ? -errno : use_index(l, own, e);
	if (rc == 0)
		rc = mark_kept(l);
	if (rc == 0) /* a store that cannot keep it is no reason to fail */
		(void)slot_publish_index(l->slot, fd);
out:
	if (rc < 0)
		slot_drop(l->slot);
	close(fd);
	return rc;
}

static int get_index(struct layer *l, const bool *cancelled, struct err *e)
{
	int rc = store_slot(l->store, &l->digest, &l->slot);

	if (rc < 0)
		return rc;
	rc = use_stored_index(l);
	if (rc != -ENOENT)
		return rc;
	rc = slot_lock(l->slot, cancelled);
	if (rc < 0)
		return err_set(e, rc, "interrupted");
	rc = use_stored_index(l); /* another process may have made it meanwhile */
	if (rc == -ENOENT) {
		__atomic_store_n(&l->state, LAYER_INDEXING, __ATOMIC_RELEASE);
		rc = build_index(l, cancelled, e);
	}
	slot_unlock(l->slot);
	return rc;
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

int layer_load(struct layer *l, const bool *cancelled, struct err *e)
{
	char text[DIGEST_TEXT_MAX];
	uint64_t start = now_ms();
	int rc = get_index(l, cancelled, &l->error);

	if (rc < 0) {
		if (!l->error.text[0])
			err_set(&l->error, rc, "%s", strerror(-rc));
		err_prefix(&l->error, rc, "layer %s", digest_format(&l->digest, text));
		__atomic_store_n(&l->state, LAYER_BROKEN, __ATOMIC_RELEASE);
		return err_set(e, rc, "%s", l->error.text);
	}
	l->milliseconds = (uint32_t)(now_ms() - start);
	__atomic_store_n(&l->state, LAYER_READY, __ATOMIC_RELEASE);
	return 0;
}

/* Fills */

static int read_back(struct layer *l, const struct span *sp, char *mem)
{
	size_t done = 0;

	while (done < sp->out_len) {
		ssize_t n = pread(l->data_fd, mem + done, sp->out_len - done,
				  (off_t)(sp->out + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -EBADMSG;
		done += (size_t)n;
	}
	return span_check(sp, mem);
}

static bool write_data(struct layer *l, const struct span *sp, const char *mem)
{
	size_t done = 0;

	if (l->data_fd < 0 || !store_make_room(l->store, sp->out_len))
		return false;
	while (done < sp->out_len) {
		ssize_t n = pwrite(l->data_fd, mem + done, sp->out_len - done,
				   (off_t)(sp->out + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

static void mark_ready(struct layer *l, uint32_t span, const struct span *sp)
{
	slot_set_filled(l->slot, span, sp->out, (uint32_t)sp->out_len);
	pthread_mutex_lock(&l->mutex);
	set_ready(l, span);
	pthread_cond_broadcast(&l->changed);
	pthread_mutex_unlock(&l->mutex);
}

/* @mem has room for the span. 0: the bytes are there, and right. */
static int load(struct layer *l, const struct span *sp, struct source *from, char *mem,
		struct err *e)
{
	__atomic_fetch_add(&l->spans_read, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&l->fetched, sp->in_len, __ATOMIC_RELAXED);
	return span_load(sp, from, mem, e);
}

/* One span, which someone waits for. */
static int fill_one(struct layer *l, struct fill *f)
{
	struct span sp;
	int rc = index_span(l->index, f->first, &sp);
	char *mem;

	if (rc < 0)
		return err_set(&f->err, rc, "its index is damaged");
	mem = malloc(sp.out_len ? sp.out_len : 1);
	if (!mem)
		return -ENOMEM;
	if (slot_is_filled(l->slot, f->first)) {
		if (read_back(l, &sp, mem) == 0) {
			free(mem);
			mark_ready(l, f->first, &sp);
			return 0;
		}
		slot_set_filled(l->slot, f->first, 0, 0);
	}
	rc = load(l, &sp, l->blob, mem, &f->err);
	if (rc == 0 && !write_data(l, &sp, mem)) {
		f->mem = mem;
		return 0;
	}
	free(mem);
	if (rc == 0)
		mark_ready(l, f->first, &sp);
	return rc;
}

/*
 * The compressed bytes of a run, in memory, to be read at the offsets they have in the
 * blob.
 */
struct run {
	struct source source;
	uint64_t start;
	uint64_t len;
	char *bytes;
};

static ssize_t run_pread(struct source *s, void *buf, size_t len, uint64_t off, struct err *e)
{
	struct run *r = (struct run *)s;

	if (off < r->start || !range_fits(off - r->start, len, r->len))
		return err_set(e, -EBADMSG, "a span that is not where its neighbours are");
	memcpy(buf, r->bytes + (off - r->start), len);
	return (ssize_t)len;
}

static void run_release(struct source *s)
{
	free(((struct run *)s)->bytes);
}

/* Where the compressed bytes of the fill's spans begin and end. */
static void run_extent(const struct span *spans, uint32_t n, struct run *run)
{
	uint64_t low = UINT64_MAX, high = 0;
	uint32_t i;

	for (i = 0; i < n; i++) {
		if (spans[i].in < low)
			low = spans[i].in;
		if (spans[i].in + spans[i].in_len > high)
			high = spans[i].in + spans[i].in_len;
	}
	run->start = low;
	run->len = high - low;
}

/* The spans of a fill, and where they go. */
struct batch {
	struct layer *layer;
	uint32_t first;	    /* of the fill */
	struct span *spans; /* of the fill, in order */
	uint32_t n;
	uint32_t at; /* the group that is being loaded begins here */
};

static int give_span(void *arg, size_t i, const void *out)
{
	struct batch *b = arg;
	struct layer *l = b->layer;
	const struct span *sp = &b->spans[b->at + i];

	if (!write_data(l, sp, out)) {
		pthread_mutex_lock(&l->mutex);
		l->full = true;
		pthread_mutex_unlock(&l->mutex);
		return -ENOSPC;
	}
	__atomic_fetch_add(&l->spans_read, 1, __ATOMIC_RELAXED);
	mark_ready(l, b->first + b->at + (uint32_t)i, sp);
	return 0;
}

/* Loads the batch group by group: spans that share their input are made in one go. */
static int load_batch(struct batch *b, struct source *from)
{
	uint32_t n;
	int rc = 0;

	for (b->at = 0; rc == 0 && b->at < b->n; b->at += n) {
		const struct span *sp = &b->spans[b->at];
		char *mem;

		for (n = 1; b->at + n < b->n && sp[n].in == sp->in && sp[n].skip > 0; n++)
			;
		if (n > 1) {
			rc = span_load_parts(sp, n, from, give_span, b, NULL);
			continue;
		}
		mem = malloc(sp->out_len ? sp->out_len : 1);
		rc = mem ? span_load(sp, from, mem, NULL) : -ENOMEM;
		if (rc == 0)
			rc = give_span(b, 0, mem);
		free(mem);
	}
	return rc;
}

/*
 * A run of spans that are not in the data file. What goes wrong is left for whoever
 * wants a span of it.
 */
static void fill_run(struct layer *l, struct fill *f)
{
	static const struct source_ops ops = {.pread = run_pread, .release = run_release};
	struct batch batch = {.layer = l, .first = f->first, .n = f->n};
	struct run run = {.bytes = NULL};
	bool is_one_input;
	uint32_t i;
	int rc = 0;

	source_init(&run.source, &ops, l->blob->size);
	batch.spans = calloc(f->n, sizeof(*batch.spans));
	if (!batch.spans)
		return;
	for (i = 0; rc == 0 && i < f->n; i++)
		rc = index_span(l->index, f->first + i, &batch.spans[i]);
	if (rc < 0)
		goto out;
	run_extent(batch.spans, f->n, &run);
	is_one_input = batch.spans[0].in_len == run.len;
	__atomic_fetch_add(&l->fetched, run.len, __ATOMIC_RELAXED);
	if (is_one_input && run.len > RUN_MAX) { /* a long zstd frame: as a stream */
		(void)load_batch(&batch, l->blob);
		goto out;
	}
	/* Runs are of spans one behind the other; else the gap would be fetched in vain. */
	if (run.len > 4 * (uint64_t)RUN_MAX)
		goto out;
	run.bytes = malloc(run.len);
	if (run.bytes && source_read_all(l->blob, run.bytes, run.len, run.start, NULL) == 0)
		(void)load_batch(&batch, &run.source);
out:
	free(batch.spans);
	source_unref(&run.source);
}

/* Off the list, whose reference the caller has now. */
static void unlink_fill(struct layer *l, struct fill *f)
{
	struct fill **link = &l->fills;

	while (*link != f)
		link = &(*link)->next;
	*link = f->next;
}

/* Lets go of the oldest bytes that are kept in memory. */
static void trim_memory(struct layer *l)
{
	struct fill *f, *oldest = NULL;
	unsigned kept = 0;

	for (f = l->fills; f; f = f->next) {
		if (f->done) {
			oldest = f;
			kept++;
		}
	}
	if (kept > KEEP_IN_MEMORY) {
		unlink_fill(l, oldest);
		fill_unref(oldest);
	}
}

static void *fill_main(void *arg)
{
	struct fill *f = arg;
	struct layer *l = f->layer;
	int rc = 0;

	if (f->n == 1)
		rc = fill_one(l, f);
	else
		fill_run(l, f);

	pthread_mutex_lock(&l->mutex);
	f->rc = rc;
	f->done = true;
	if (f->mem) {
		l->full = true;
		trim_memory(l);
	} else {
		unlink_fill(l, f);
		f->refs--; /* the list's; the thread's goes below */
	}
	fill_unref(f);
	l->threads--;
	pthread_cond_broadcast(&l->changed);
	pthread_mutex_unlock(&l->mutex);
	return NULL;
}

static struct fill *find_fill(const struct layer *l, uint32_t span)
{
	struct fill *f;

	for (f = l->fills; f; f = f->next) {
		if (span - f->first < f->n) /* unsigned: below first is far above n */
			return f;
	}
	return NULL;
}

static int start_fill(struct layer *l, uint32_t first, uint32_t n, struct fill **out)
{
	struct fill *f = calloc(1, sizeof(*f));
	pthread_attr_t attr;
	pthread_t thread;
	int rc;

	if (!f)
		return -ENOMEM;
	f->layer = l;
	f->first = first;
	f->n = n;
	f->refs = 2;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	rc = -pthread_create(&thread, &attr, fill_main, f);
	pthread_attr_destroy(&attr);
	if (rc < 0) {
		free(f);
		return rc;
	}
	l->threads++;
	f->next = l->fills;
	l->fills = f;
	*out = f;
	return 0;
}

/* Reading ahead, all with the lock held */

static uint64_t span_out(const struct layer *l, uint32_t span)
{
	struct span sp;

	return index_span(l->index, span, &sp) < 0 ? 0 : sp.out;
}

/* The reader that reads near @span, or the one that was longest idle, begun anew. */
static struct reader_state *reader_near(struct layer *l, uint32_t span)
{
	uint64_t here = span_out(l, span);
	struct reader_state *r, *oldest = &l->readers[0];
	unsigned i;

	for (i = 0; i < N_READERS; i++) {
		r = &l->readers[i];
		if (r->bytes > 0 && here + NEAR >= span_out(l, r->first) &&
		    here <= span_out(l, r->end) + NEAR)
			goto out;
		if (r->used < oldest->used)
			oldest = r;
	}
	r = oldest;
	*r = (struct reader_state){.first = span, .end = span};
out:
	r->used = ++l->clock;
	return r;
}

/* How many spans from @first on are wanted, and neither there nor on their way. */
static uint32_t run_length(const struct layer *l, uint32_t first, uint64_t bytes)
{
	uint32_t n = 0, all = index_info(l->index)->n_spans;
	struct span sp;

	while (first + n < all && !is_ready(l, first + n) &&
	       !slot_is_filled(l->slot, first + n) && !find_fill(l, first + n) &&
	       index_span(l->index, first + n, &sp) == 0) {
		n++;
		if (sp.out_len >= bytes)
			break;
		bytes -= sp.out_len;
	}
	return n;
}

static void start_run(struct layer *l, struct reader_state *r, uint32_t first, uint32_t n)
{
	struct fill *f;

	r->first = first;
	r->end = first + n;
	r->ahead = false;
	r->bytes = r->bytes < RUN_MAX ? r->bytes * 2 : RUN_MAX;
	(void)start_fill(l, first, n, &f);
}

/*
 * For a span that is made from where others are made too, all that is passed on the way
 * to it: the first one that is not there.
 */
static uint32_t first_on_the_way(const struct layer *l, uint32_t span)
{
	uint32_t first = span, at = span;
	struct span sp;

	while (at > 0 && index_span(l->index, at, &sp) == 0 && sp.skip > 0) {
		at--;
		if (is_ready(l, at) || find_fill(l, at))
			break;
		first = at;
	}
	return first;
}

/* Behind the last of the spans that are made from the same input as @span. */
static uint32_t end_of_input(const struct layer *l, uint32_t span)
{
	uint32_t end = span + 1;
	struct span sp;

	while (index_span(l->index, end, &sp) == 0 && sp.skip > 0)
		end++;
	return end;
}

/* @span is not there: begins a fill that brings it, and what will be read next. */
static int start_for_miss(struct layer *l, uint32_t span, struct fill **out)
{
	struct reader_state *r;
	uint32_t first, n;

	if (l->full || l->data_fd < 0 || slot_is_filled(l->slot, span))
		return start_fill(l, span, 1, out);
	r = reader_near(l, span);
	if (r->bytes == 0)
		r->bytes = SPAN_TARGET;
	first = first_on_the_way(l, span);
	n = span - first + run_length(l, span, r->bytes);
	/* The way to the next part would lead through this one again: go to the end. */
	if (first < span && r->bytes > SPAN_TARGET)
		n = end_of_input(l, span) - first;
	r->first = first;
	r->end = first + n;
	r->ahead = false;
	if (r->bytes < RUN_MAX)
		r->bytes *= 2;
	return start_fill(l, first, n, out);
}

/* @span is read and there: if it was fetched ahead, go on fetching ahead. */
static void read_on(struct layer *l, uint32_t span)
{
	uint32_t n, all = index_info(l->index)->n_spans;
	struct reader_state *r;
	unsigned i;

	if (l->full || l->data_fd < 0)
		return;
	for (i = 0; i < N_READERS; i++) {
		r = &l->readers[i];
		if (r->bytes > SPAN_TARGET && !r->ahead && span - r->first < r->end - r->first &&
		    r->end - r->first > 1 && r->end < all) {
			r->ahead = true;
			n = run_length(l, r->end, r->bytes);
			if (n > 1)
				start_run(l, r, r->end, n);
			return;
		}
	}
}

/*
 * Waits, with the lock held, until the span is ready, or a fill has its bytes in memory
 * (then *out is that fill, referenced).
 */
static int wait_for_span(struct layer *l, uint32_t span, const bool *cancelled,
			 struct fill **out, struct err *e)
{
	unsigned tries;

	*out = NULL;
	for (tries = 0; !is_ready(l, span); tries++) {
		struct fill *f = find_fill(l, span);
		int rc = 0;

		if (!f) /* a run that did not bring it is not tried again */
			rc = tries ? start_fill(l, span, 1, &f) : start_for_miss(l, span, &f);
		if (rc < 0)
			return err_set(e, rc, "cannot read a span: %s", strerror(-rc));
		f->refs++;
		while (!f->done && !is_ready(l, span)) {
			if (cancelled && __atomic_load_n(cancelled, __ATOMIC_RELAXED)) {
				fill_unref(f);
				return err_set(e, -EINTR, "interrupted");
			}
			pthread_cond_wait(&l->changed, &l->mutex);
		}
		if (f->mem) {
			*out = f;
			return 0;
		}
		rc = f->rc;
		if (rc < 0)
			err_set(e, rc, "%s", f->err.text[0] ? f->err.text : strerror(-rc));
		fill_unref(f);
		if (rc < 0)
			return rc;
	}
	slot_touch(l->slot, span);
	read_on(l, span);
	return 0;
}

int layer_get(struct layer *l, uint64_t off, size_t *len, const bool *cancelled,
	      struct layer_data *data, struct err *e)
{
	char text[DIGEST_TEXT_MAX];
	struct fill *f = NULL;
	struct span sp;
	uint32_t i;
	int rc;

	rc = index_span_at(l->index, off, &i);
	if (rc == 0)
		rc = index_span(l->index, i, &sp);
	if (rc == 0 && off - sp.out >= sp.out_len)
		rc = -EBADMSG;
	if (rc < 0)
		return err_set(e, -EBADMSG, "layer %s: its index is damaged",
			       digest_format(&l->digest, text));
	if (*len > sp.out_len - (off - sp.out))
		*len = (size_t)(sp.out_len - (off - sp.out));

	pthread_mutex_lock(&l->mutex);
	rc = wait_for_span(l, i, cancelled, &f, e);
	pthread_mutex_unlock(&l->mutex);
	if (rc < 0)
		return err_prefix(e, rc, "layer %s", digest_format(&l->digest, text));
	*data = (struct layer_data){.fd = -1, .hold = f};
	if (f) {
		data->mem = f->mem + (off - sp.out);
	} else {
		data->fd = l->data_fd;
		data->off = off;
	}
	return 0;
}

void layer_unget(struct layer *l, struct layer_data *data)
{
	if (!data->hold)
		return;
	pthread_mutex_lock(&l->mutex);
	fill_unref(data->hold);
	pthread_mutex_unlock(&l->mutex);
	data->hold = NULL;
}

void layer_wake(struct layer *l)
{
	pthread_mutex_lock(&l->mutex);
	pthread_cond_broadcast(&l->changed);
	pthread_mutex_unlock(&l->mutex);
}
