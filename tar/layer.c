/* SPDX-License-Identifier: MIT */
#include "tar/layer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/source.h"
#include "base/store/lower.h"
#include "base/store/lower_slot.h"
#include "base/store/partial.h"
#include "base/store/slot.h"
#include "base/store/store.h"
#include "tar/diff_note.h"
#include "tar/first_pass.h"
#include "tar/index/same.h"
#include "tar/prefetch.h"
#include "tar/resumed.h"
#include "tar/span_cache.h"
#include "tar/span_places.h"
#include "tar/stored_index.h"
#include "tar/successor.h"
#include "tar/toc/bad_toc.h"
#include "tar/toc/blob_reader.h"
#include "tar/toc/toc_ref.h"

/* Why layer_progress() reports a layer as streamed that began with an index beside the image. */
#define WRONG_INDEX "its index beside the image was wrong, so it was streamed"

struct layer {
	struct store *store; /* borrowed */
	struct source *blob;
	struct digest digest;
	struct slot *slot;
	struct toc_ref toc;
	uint64_t toc_fetched;	/* bytes read for the table of contents; atomic */
	struct first_pass pass; /* its counters are atomic */
	/*
	 * atomic; the fields below are set before it becomes LAYER_READY or LAYER_BROKEN
	 */
	enum layer_state state;
	struct index *index;
	struct span_cache *spans;
	uint8_t *checked; /* for an external index: one bit for each file; atomic */
	bool was_stored;
	/* NULL, -1; else the index is used where it is, in a lower store */
	struct lower_slot *lower;
	int lower_fd;
	bool is_distrusted;	    /* a chunk did not match its table; atomic */
	struct successor successor; /* of an external index that is wrong: streamed */
	uint32_t milliseconds;
	struct err warning;
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
	successor_init(&l->successor);
	l->lower_fd = -1;
	*out = l;
	return 0;
}

void layer_set_hints(struct layer *l, const struct toc_hints *hints)
{
	(void)toc_ref_parse(hints, &l->toc, &l->warning);
}

void layer_want_diff_id(struct layer *l)
{
	l->pass.wants_diff_id = true;
}

/* Once: the next layer_load() uses another index, or makes one. */
static void note_damage(const struct layer *l)
{
	if (l->lower)
		lower_slot_note_damage(l->lower);
	slot_drop(l->slot); /* perhaps it has a copy */
}

static void leave_lower(struct layer *l)
{
	lower_slot_close(l->lower);
	if (l->lower_fd >= 0)
		close(l->lower_fd);
	l->lower = NULL;
	l->lower_fd = -1;
}

static void drop_index(struct layer *l)
{
	span_cache_free(l->spans);
	free(l->checked);
	index_close(l->index);
	l->spans = NULL;
	l->checked = NULL;
	l->index = NULL;
	leave_lower(l);
}

void layer_free(struct layer *l)
{
	if (!l)
		return;
	layer_free(successor_get(&l->successor));
	successor_release(&l->successor);
	if (l->index && index_take_damage(l->index))
		note_damage(l);
	drop_index(l);
	slot_close(l->slot);
	source_unref(l->blob);
	toc_ref_release(&l->toc);
	free(l);
}

static enum layer_state layer_state_get(const struct layer *l)
{
	return __atomic_load_n(&l->state, __ATOMIC_ACQUIRE);
}

static void layer_state_set(struct layer *l, enum layer_state state)
{
	__atomic_store_n(&l->state, state, __ATOMIC_RELEASE);
}

const struct digest *layer_digest(const struct layer *l)
{
	return &l->digest;
}

/* The layer that has taken the place of this one; else this one. */
static struct layer *layer_now(const struct layer *l)
{
	struct layer *next = successor_get(&l->successor);

	return next ? next : (struct layer *)(uintptr_t)l;
}

const struct index *layer_index(const struct layer *l)
{
	l = layer_now(l);
	if (layer_state_get(l) != LAYER_READY)
		return NULL;
	if (index_take_damage(l->index))
		note_damage(l);
	return l->index;
}

static void add_successor(const struct layer *l, struct layer_progress *out)
{
	uint64_t fetched = out->fetched, spans = out->spans_read;

	layer_progress(layer_now(l), out);
	out->fetched += fetched;
	out->spans_read += spans;
	out->was_stored = false;
	out->warning = WRONG_INDEX;
}

void layer_progress(const struct layer *l, struct layer_progress *out)
{
	uint64_t done = __atomic_load_n(&l->pass.done, __ATOMIC_RELAXED), by_spans;
	uint64_t kept = __atomic_load_n(&l->pass.kept, __ATOMIC_RELAXED);

	*out = (struct layer_progress){
		.state = layer_state_get(l),
		.blob_size = l->blob->size,
		.blob_done = done,
		.fetched = (done > kept ? done - kept : 0) +
			   __atomic_load_n(&l->toc_fetched, __ATOMIC_RELAXED),
		.warning = "",
		.decoded = __atomic_load_n(&l->pass.decoded, __ATOMIC_RELAXED),
		.entries = __atomic_load_n(&l->pass.entries, __ATOMIC_RELAXED),
	};
	if (out->state != LAYER_READY)
		return;
	span_cache_count(l->spans, &out->spans_read, &by_spans);
	out->fetched += by_spans;
	out->was_stored = l->was_stored;
	out->is_lower = l->was_stored && l->lower;
	out->basis = index_info(l->index)->basis;
	if (!l->was_stored)
		out->warning = l->warning.text;
	out->milliseconds = l->milliseconds;
	out->decoded = index_info(l->index)->decoded_size;
	out->entries = index_info(l->index)->n_entries;
	if (l->was_stored || out->basis != BASIS_STREAM)
		out->blob_done = l->blob->size;
	if (layer_now(l) != l)
		add_successor(l, out);
}

/* Takes @fd. On success the layer is usable. */
static int use_index(struct layer *l, int fd, struct err *e)
{
	struct index *ix = NULL;
	int rc = stored_index_open(fd, &l->digest, l->blob->size, &l->toc, &ix, e);

	if (rc < 0)
		return rc;
	if (index_basis_is_external(index_info(ix)->basis)) {
		l->checked = calloc(index_info(ix)->n_entries / 8 + 1, 1);
		rc = l->checked ? 0 : -ENOMEM;
	}
	if (rc == 0)
		rc = span_cache_new(ix, l->blob, l->store, l->slot, l->lower_fd,
				    &l->spans);
	if (rc == 0) {
		l->index = ix;
		return 0;
	}
	index_close(ix);
	free(l->checked);
	l->checked = NULL;
	return rc;
}

/* -ENOENT if there is no usable index. */
static int use_stored_index(struct layer *l)
{
	int fd = slot_open_index(l->slot), rc;

	if (fd < 0)
		return -ENOENT;
	rc = use_index(l, fd, NULL);
	/*
	 * Between opening the index and the data, another process may have replaced the
	 * index by one that has the data at other offsets.
	 */
	if (rc == 0 && !slot_has_index(l->slot)) {
		drop_index(l);
		slot_forget(l->slot);
		rc = -ENOENT;
	}
	l->was_stored = rc == 0;
	return rc == -ENOMEM ? rc : rc < 0 ? -ENOENT : 0;
}

/* Tries the index that lower store @k has. As above. */
static int use_lower_index(struct layer *l, size_t k)
{
	int rc = lower_slot_open(l->store, k, &l->digest, &l->lower), fd;

	if (rc < 0)
		return rc;
	fd = lower_slot_open_index(l->lower);
	if (fd >= 0) {
		l->lower_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		rc = use_index(l, fd, NULL);
	} else {
		rc = -ENOENT;
	}
	if (rc < 0)
		leave_lower(l);
	l->was_stored = rc == 0;
	return rc == -ENOMEM ? rc : rc < 0 ? -ENOENT : 0;
}

/* The same of the store or, if it has none, of the lower stores. */
static int use_known_index(struct layer *l)
{
	int rc = use_stored_index(l);
	size_t k;

	for (k = 0; rc == -ENOENT && k < store_n_lower(l->store); k++)
		rc = use_lower_index(l, k);
	return rc;
}

static int new_index(struct layer *l, int *fd, struct err *e)
{
	*fd = slot_new_index(l->slot);
	return *fd < 0 ? err_set(e, *fd, "no place for an index: %s", strerror(-*fd)) : 0;
}

/* Uses the index in @fd, which stays the caller's. */
static int use_new_index(struct layer *l, int fd, struct err *e)
{
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 0), rc;

	store_note_work(l->store);
	rc = own < 0 ? -errno : use_index(l, own, e);
	if (rc < 0)
		return rc;
	rc = span_cache_set_stored(l->spans, l->pass.stored);
	store_note_work(l->store);
	if (rc == 0) { /* a store that cannot keep it is no reason to fail */
		(void)slot_publish_index(l->slot, fd);
		return 0;
	}
	drop_index(l); /* streaming after a table of contents starts from nothing */
	return rc;
}

/* What is read does not match the table of contents. The next layer_load() will stream it. */
static void toc_distrust(struct layer *l)
{
	if (index_info(l->index)->basis == BASIS_STREAM ||
	    __atomic_exchange_n(&l->is_distrusted, true, __ATOMIC_RELAXED))
		return;
	bad_toc_note(l->store, &l->digest, &l->toc.toc);
	note_damage(l);
}

/* Streams the layer: @arg. What is shown of it already must not change. */
static int layer_succeed(void *arg, const bool *cancelled, struct layer **out,
			 struct err *e)
{
	struct layer *l = arg, *next;
	int rc = layer_new(l->store, &l->digest, source_ref(l->blob), &next);

	if (rc < 0)
		return err_set(e, rc, "out of memory");
	rc = layer_load(next, cancelled, e);
	if (rc == 0 && !same_tree(l->index, next->index))
		rc = err_set(
			e, -EBADMSG,
			"its index beside the image has other files; mount it again");
	if (rc < 0)
		layer_free(next);
	else
		*out = next;
	return rc;
}

int layer_distrust(struct layer *l, const bool *cancelled, struct err *e)
{
	struct err why = e ? *e : (struct err){""};
	int rc;

	toc_distrust(l);
	if (!index_basis_is_external(index_info(l->index)->basis))
		return -EBADMSG;
	rc = successor_need(&l->successor, layer_succeed, l, cancelled, e);
	return rc < 0 ? rc : err_set(e, -ESTALE, "%s", why.text);
}

uint8_t *layer_checked(struct layer *l, uint32_t inode)
{
	if (layer_now(l) != l || !l->checked || inode >= index_info(l->index)->n_entries)
		return NULL;
	return &l->checked[inode / 8];
}

static int use_toc(struct layer *l, const bool *cancelled, struct err *e)
{
	const struct blob_reader fetch = {l->blob, cancelled, &l->toc_fetched, l->store};
	struct err why = {""};
	uint64_t prefetch = 0, budget = PREFETCH_MAX;
	int fd, rc = new_index(l, &fd, &why);

	if (rc < 0)
		return rc;
	rc = toc_ref_make_index(&l->toc, &fetch, &l->digest, fd, &prefetch, &why);
	if (rc == 0)
		rc = use_new_index(l, fd, &why);
	if (rc == 0)
		span_cache_prefetch(l->spans, &(struct byte_range){0, prefetch}, &budget);
	close(fd);
	return rc < 0 ? err_set(e, rc, "%s", why.text) : 0;
}

/*
 * Makes the index from the table of contents. The transfer may have damaged the table, so
 * it is read once more. A failure other than -EINTR becomes the warning.
 */
static int use_toc_index(struct layer *l, const bool *cancelled, struct err *e)
{
	struct err why = {""};
	int rc = use_toc(l, cancelled, &why);

	if (resumed_blames(rc))
		rc = use_toc(l, cancelled, &why);
	if (rc < 0)
		*(rc == -EINTR ? e : &l->warning) = why;
	return rc;
}

static int stream_layer(struct layer *l, const bool *cancelled, struct err *e)
{
	int fd, rc = new_index(l, &fd, e);

	if (rc < 0)
		return rc;
	l->pass.partial = NULL;
	if (source_is_remote(l->blob))
		(void)partial_open(l->slot, l->blob->size, &l->pass.partial);
	l->pass.blob = l->blob;
	l->pass.digest = &l->digest;
	l->pass.index_fd = fd;
	l->pass.data_fd = slot_data(l->slot);
	l->pass.store = l->store;
	l->pass.cancelled = cancelled;
	rc = first_pass_run(&l->pass, e);
	resumed_end(l->pass.partial, rc);
	if (rc == 0)
		rc = use_new_index(l, fd, e);
	if (rc == 0 && l->pass.wants_diff_id)
		diff_note_put(l->store, &l->digest, &l->pass.diff_id);
	close(fd);
	return rc;
}

/*
 * Makes the index by streaming the whole layer. The transfer may have damaged the bytes, so
 * the layer is blamed at the second time, unless the blob has its digest. A pass that began
 * with kept bytes does not count, because they may be what is damaged.
 */
static int build_index(struct layer *l, const bool *cancelled, struct err *e)
{
	int rc = stream_layer(l, cancelled, e);

	if (resumed_blames(rc) && !l->pass.is_proven && l->pass.kept > 0)
		rc = stream_layer(l, cancelled, e);
	if (!resumed_blames(rc) || l->pass.is_proven)
		return rc;
	return stream_layer(l, cancelled, e);
}

static int make_index(struct layer *l, const bool *cancelled, struct err *e)
{
	int rc = -ENOENT;

	slot_drop(l->slot);
	if (l->toc.basis != BASIS_STREAM &&
	    bad_toc_is_noted(l->store, &l->digest, &l->toc.toc))
		err_set(&l->warning, rc,
			"its table of contents did not match its bytes earlier");
	else if (l->toc.basis != BASIS_STREAM)
		rc = use_toc_index(l, cancelled, e);
	if (rc < 0 && rc != -EINTR)
		rc = build_index(l, cancelled, e);
	if (rc < 0)
		slot_drop(l->slot);
	return rc;
}

/*
 * Another process has locked the layer and makes no progress. It may continue at any time
 * and write to the layer's files, so they are left alone, and this process works without
 * them.
 */
static int make_index_alone(struct layer *l, const bool *cancelled, const struct err *why,
			    struct err *e)
{
	int rc = use_stored_index(l); /* perhaps it finished before it was stopped */

	if (rc != -ENOENT)
		return rc;
	slot_make_private(l->slot);
	layer_state_set(l, LAYER_INDEXING);
	rc = make_index(l, cancelled, e);
	if (l->warning.text[0])
		err_prefix(&l->warning, 0, "%s", why->text);
	else
		l->warning = *why;
	return rc;
}

static int get_index(struct layer *l, const bool *cancelled, struct err *e)
{
	struct err why = {""};
	int rc = slot_open(l->store, &l->digest, &l->slot);

	if (rc < 0)
		return rc;
	rc = use_known_index(l);
	if (rc != -ENOENT)
		return rc;
	rc = slot_lock(l->slot, cancelled, &why);
	if (rc == -ETIMEDOUT)
		return make_index_alone(l, cancelled, &why, e);
	if (rc < 0)
		return err_set(e, rc, "%s", why.text);
	rc = use_stored_index(l); /* another process may have made it meanwhile */
	if (rc == -ENOENT) {
		layer_state_set(l, LAYER_INDEXING);
		rc = make_index(l, cancelled, e);
	}
	slot_unlock(l->slot);
	return rc;
}

int layer_load(struct layer *l, const bool *cancelled, struct err *e)
{
	char text[DIGEST_TEXT_MAX];
	int64_t start = clock_ms();
	struct err why = {""};
	int rc = get_index(l, cancelled, &why);

	if (rc < 0) {
		layer_state_set(l, LAYER_BROKEN);
		return err_set(e, rc, "layer %s: %s", digest_format(&l->digest, text),
			       why.text[0] ? why.text : strerror(-rc));
	}
	l->milliseconds = (uint32_t)(clock_ms() - start);
	layer_state_set(l, LAYER_READY);
	return 0;
}

int layer_get(struct layer *l, uint64_t off, size_t *len, const bool *cancelled,
	      struct layer_data *data, struct err *e)
{
	char text[DIGEST_TEXT_MAX];
	struct span_fill *pin = NULL;
	const void *mem = NULL;
	struct span sp;
	uint32_t i;
	int rc, fd = -1;

	l = layer_now(l);
	rc = index_span_of(l->index, off, &i, &sp);
	if (rc < 0)
		return err_set(e, -EBADMSG, "layer %s: its index is damaged",
			       digest_format(&l->digest, text));
	if (*len > sp.out_len - (off - sp.out))
		*len = (size_t)(sp.out_len - (off - sp.out));

	rc = span_cache_get(l->spans, i, cancelled, &pin, &mem, &fd, e);
	if (rc < 0)
		err_prefix(e, rc, "layer %s", digest_format(&l->digest, text));
	if (rc < 0)
		return rc == -EBADMSG ? layer_distrust(l, cancelled, e) : rc;
	*data = (struct layer_data){.fd = -1, .pin = pin, .from = l};
	if (pin) {
		data->mem = (const char *)mem + (off - sp.out);
	} else {
		data->fd = fd;
		data->off = off;
	}
	return 0;
}

bool layer_is_stored(const struct layer *l, uint32_t i)
{
	struct span sp;

	l = layer_now(l);
	return index_span(l->index, i, &sp) == 0 &&
	       span_places_find(span_cache_places(l->spans), i, &sp) != SPAN_NOWHERE;
}

bool layer_can_store(const struct layer *l)
{
	return span_file_can_keep(&span_cache_places(layer_now(l)->spans)->file);
}

bool layer_has(const struct layer *l, uint64_t off, uint64_t len)
{
	uint64_t end = off + len;
	struct span sp;
	uint32_t i;

	l = layer_now(l);
	while (off < end) {
		if (index_span_of(l->index, off, &i, &sp) < 0 ||
		    !span_cache_has(l->spans, i))
			return false;
		off = sp.out + sp.out_len;
	}
	return true;
}

struct span_cache *layer_spans(const struct layer *l)
{
	l = layer_now(l);
	return layer_state_get(l) == LAYER_READY ? l->spans : NULL;
}

void layer_unget(struct layer *l, struct layer_data *data)
{
	(void)l;
	span_cache_unpin(data->from->spans, data->pin);
	data->pin = NULL;
}

void layer_wake(struct layer *l)
{
	span_cache_wake(l->spans);
	successor_wake(&l->successor);
	if (layer_now(l) != l)
		layer_wake(layer_now(l));
}
