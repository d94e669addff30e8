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
#include "tar/archive/preamble.h"
#include "tar/diff_note.h"
#include "tar/first_pass.h"
#include "tar/span_cache.h"
#include "tar/span_places.h"
#include "tar/stored_index.h"
#include "tar/toc/bad_toc.h"
#include "tar/toc/blob_reader.h"
#include "tar/toc/toc_ref.h"

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
	bool is_distrusted; /* a chunk did not match its table; atomic */
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

const struct index *layer_index(const struct layer *l)
{
	if (layer_state_get(l) != LAYER_READY)
		return NULL;
	if (index_take_damage(l->index))
		note_damage(l);
	return l->index;
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

/*
 * A span does not match the table of contents. Reading it is EIO now, because the tree
 * cannot change while it is in use. The next layer_load() will stream the layer.
 */
static void toc_distrust(struct layer *l)
{
	if (index_info(l->index)->basis == BASIS_STREAM ||
	    __atomic_exchange_n(&l->is_distrusted, true, __ATOMIC_RELAXED))
		return;
	bad_toc_note(l->store, &l->digest, &l->toc.toc);
	note_damage(l);
}

/* Is it an error about bytes that arrived, and not one of getting them? */
static bool is_content_error(int rc)
{
	return rc == -EBADMSG || rc == -E2BIG || rc == -ENOTSUP;
}

static int use_toc(struct layer *l, const bool *cancelled, struct err *e)
{
	const struct blob_reader fetch = {l->blob, cancelled, &l->toc_fetched, l->store};
	struct err why = {""};
	uint64_t prefetch = 0;
	int fd, rc = new_index(l, &fd, &why);

	if (rc < 0)
		return rc;
	rc = toc_ref_make_index(&l->toc, &fetch, &l->digest, fd, &prefetch, &why);
	if (rc == 0)
		rc = use_new_index(l, fd, &why);
	if (rc == 0)
		span_cache_prefetch(l->spans, prefetch);
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

	if (is_content_error(rc))
		rc = use_toc(l, cancelled, &why);
	if (rc < 0)
		*(rc == -EINTR ? e : &l->warning) = why;
	return rc;
}

/* What a failed pass read may be continued, unless it is to blame. */
static void end_partial(struct partial *p, int rc)
{
	if (is_content_error(rc))
		(void)partial_give_up(p);
	partial_close(p);
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
	end_partial(l->pass.partial, rc);
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

	if (is_content_error(rc) && !l->pass.is_proven && l->pass.kept > 0)
		rc = stream_layer(l, cancelled, e);
	if (!is_content_error(rc) || l->pass.is_proven)
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

	rc = span_cache_get(l->spans, i, cancelled, &pin, &mem, &fd, e);
	if (rc == -EBADMSG)
		toc_distrust(l);
	if (rc < 0)
		return err_prefix(e, rc, "layer %s", digest_format(&l->digest, text));
	*data = (struct layer_data){.fd = -1, .pin = pin};
	if (pin) {
		data->mem = (const char *)mem + (off - sp.out);
	} else {
		data->fd = fd;
		data->off = off;
	}
	return 0;
}

struct decoded_reader {
	struct layer *layer;
	const bool *cancelled;
};

static int decoded_read(void *arg, void *buf, size_t len, uint64_t off, struct err *e)
{
	const struct decoded_reader *rd = arg;
	char *to = buf;
	int rc = 0;

	while (len > 0 && rc == 0) {
		struct layer_data data;
		size_t piece = len;

		rc = layer_get(rd->layer, off, &piece, rd->cancelled, &data, e);
		if (rc < 0)
			break;
		if (data.fd < 0)
			memcpy(to, data.mem, piece);
		else if (fd_read_all(data.fd, to, piece, data.off) < 0)
			rc = err_set(e, -EIO, "cannot read from the store");
		layer_unget(rd->layer, &data);
		to += piece;
		off += piece;
		len -= piece;
	}
	return rc;
}

int layer_check_file(struct layer *l, const struct entry *file, const bool *cancelled,
		     struct err *e)
{
	struct decoded_reader rd = {l, cancelled};
	struct preamble_want want = {.data = file->data, .size = file->size};
	char text[DIGEST_TEXT_MAX];
	uint8_t bit = (uint8_t)(1 << file->inode % 8), *byte;
	int rc;

	if (!l->checked || file->size == 0)
		return 0;
	byte = &l->checked[file->inode / 8];
	if (__atomic_load_n(byte, __ATOMIC_RELAXED) & bit)
		return 0;
	/* else the header may have another name */
	if (file->nlink == 1 && file->name_len > 0) {
		want.name = file->name;
		want.name_len = file->name_len;
	}
	rc = preamble_check(decoded_read, &rd, &want, e);
	if (rc == 0) {
		__atomic_fetch_or(byte, bit, __ATOMIC_RELAXED);
		return 0;
	}
	if (rc == -EBADMSG)
		toc_distrust(l);
	return err_prefix(e, rc, "layer %s: %.*s", digest_format(&l->digest, text),
			  (int)(file->name_len < 200 ? file->name_len : 200), file->name);
}

bool layer_is_stored(const struct layer *l, uint32_t i)
{
	struct span sp;

	return index_span(l->index, i, &sp) == 0 &&
	       span_places_find(span_cache_places(l->spans), i, &sp) != SPAN_NOWHERE;
}

bool layer_can_store(const struct layer *l)
{
	return span_file_can_keep(&span_cache_places(l->spans)->file);
}

bool layer_has(const struct layer *l, uint64_t off, uint64_t len)
{
	uint64_t end = off + len;
	struct span sp;
	uint32_t i;

	while (off < end) {
		if (index_span_at(l->index, off, &i) < 0 ||
		    index_span(l->index, i, &sp) < 0 || off - sp.out >= sp.out_len ||
		    !span_cache_has(l->spans, i))
			return false;
		off = sp.out + sp.out_len;
	}
	return true;
}

void layer_unget(struct layer *l, struct layer_data *data)
{
	span_cache_unpin(l->spans, data->pin);
	data->pin = NULL;
}

void layer_wake(struct layer *l)
{
	span_cache_wake(l->spans);
}
