/* SPDX-License-Identifier: MIT */
#include "fs/image/status.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/jsonwrite.h"
#include "base/store/lower.h"
#include "base/store/store.h"
#include "fs/tree/merge.h"
#include "fs/image/context.h"
#include "fs/image/image_list.h"
#include "fs/image/images.h"
#include "fs/image/layers.h"
#include "fs/image/raw_blobs.h"
#include "fs/options/options.h"
#include "fs/text/bar.h"
#include "registry/remote/client.h"
#include "registry/image_source.h"
#include "tar/index/index.h"
#include "tar/layer.h"
#include "tar/layer_trace.h"

static const char *const state_names[] = {
	[LAYER_WAITING] = "waiting",
	[LAYER_INDEXING] = "indexing",
	[LAYER_READY] = "ready",
	[LAYER_BROKEN] = "broken",
};

static const char *const blob_state_names[] = {
	[RAW_BLOB_WAITING] = "waiting",
	[RAW_BLOB_FETCHING] = "fetching",
	[RAW_BLOB_READY] = "ready",
	[RAW_BLOB_BROKEN] = "broken",
};

static const char *const op_names[N_OPS] = {
	[OP_LOOKUP] = "lookup",	    [OP_GETATTR] = "getattr",
	[OP_READLINK] = "readlink", [OP_OPEN] = "open",
	[OP_OPENDIR] = "opendir",   [OP_READ] = "read",
	[OP_READDIR] = "readdir",   [OP_READDIRPLUS] = "readdirplus",
	[OP_GETXATTR] = "getxattr", [OP_LISTXATTR] = "listxattr",
	[OP_STATFS] = "statfs",	    [OP_LSEEK] = "lseek",
	[OP_IOCTL] = "ioctl",
};

const char *status_from(const struct image_source *source, const struct layer_progress *p)
{
	if (p->was_stored)
		return p->is_lower ? "lower" : "store";
	return source && image_source_is_local(source) ? "disk" : "registry";
}

static uint64_t get(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

static void add_number(struct jsonwrite *w, const char *key, uint64_t n)
{
	jsonwrite_member_number(w, key, (int64_t)n);
}

static void begin(struct jsonwrite *w, const char *key, char bracket)
{
	jsonwrite_key(w, key);
	jsonwrite_open(w, bracket);
}

/*
 * @tree: of a blob, the directory that is packed in it, or NULL. Its archive is fetched for
 * itself.
 */
static const char *layer_state(const struct mount_layer *l,
			       const struct mount_layer *tree, struct layer_progress *p)
{
	enum raw_blob_state state;
	uint64_t done;

	mount_layer_progress(tree ? tree : l, p);
	if (!l->is_file)
		return state_names[p->state];
	state = raw_blob_progress(l, &done);
	p->fetched += done;
	return tree && state == RAW_BLOB_WAITING ? state_names[p->state]
						 : blob_state_names[state];
}

/* The decoded bytes of the spans that were read: "reads": [[0, 1048575], ...]. */
static void add_reads(struct jsonwrite *w, const struct layer *l)
{
	struct byte_range list[READ_TRACE_RANGES];
	size_t i, n = layer_trace(l, list, READ_TRACE_RANGES);

	begin(w, "reads", '[');
	for (i = 0; i < n; i++) {
		jsonwrite_open(w, '[');
		jsonwrite_number(w, (int64_t)list[i].first);
		jsonwrite_number(w, (int64_t)list[i].end - 1);
		jsonwrite_close(w, ']');
	}
	jsonwrite_close(w, ']');
}

static void add_layer(struct jsonwrite *w, const struct view *v, struct mount_layer *l,
		      const struct mount_layer *tree)
{
	bool is_open = lazy_pin(&l->lazy);
	const struct index *ix = is_open && l->layer && l->loaded == 0
					 ? layer_index(l->layer)
					 : NULL;
	struct layer_progress p;
	char digest[DIGEST_TEXT_MAX];
	const char *state = layer_state(l, tree, &p);

	jsonwrite_open(w, '{');
	jsonwrite_member(w, "digest", digest_format(&l->descriptor.digest, digest));
	jsonwrite_member(w, "mediaType", l->descriptor.media_type);
	jsonwrite_member(w, "state", state);
	jsonwrite_member(w, "from", status_from(v->image_source, &p));
	jsonwrite_member(w, "index", ix ? index_basis_name(p.basis) : "");
	jsonwrite_member(w, "warning", p.warning ? p.warning : "");
	add_number(w, "size", l->descriptor.size);
	add_number(w, "fetched", p.fetched);
	add_number(w, "spansRead", p.spans_read);
	if (ix)
		add_reads(w, l->layer);
	add_number(w, "entries", p.entries);
	add_number(w, "skipped", ix ? index_info(ix)->n_skipped : 0);
	add_number(w, "errors", get(&l->failures.n));
	jsonwrite_key(w, "seconds");
	jsonwrite_thousandths(w, p.milliseconds);
	jsonwrite_member(w, "error", is_open ? mount_layer_why(l) : "");
	jsonwrite_close(w, '}');
	if (is_open)
		mount_layer_unpin(l);
}

/* Of an image: "waiting" while nothing needs all its layers. */
static const char *image_state(const struct view *v)
{
	bool is_loading = lazy_is_busy(&v->images->steps, &v->tree_step);

	if (view_has_tree(v))
		return v->totals.n_broken == 0 ? "ready" : "broken";
	return is_loading ? "loading" : "waiting";
}

static void add_progress(struct jsonwrite *w, const struct view *v)
{
	struct bar_state at;

	view_progress(v, &at);
	begin(w, "progress", '{');
	add_number(w, "layers", at.n_layers);
	add_number(w, "layersDone", at.layers);
	add_number(w, "size", at.size);
	add_number(w, "sizeDone", at.bytes);
	jsonwrite_close(w, '}');
}

static void add_image(struct jsonwrite *w, const struct view *v)
{
	const struct image *img = v->image;
	bool has_layers = layer_list_count(&v->layers) > 0;
	const struct layer_list *layers = has_layers && !img->is_artifact ? &v->layers
									  : &v->blobs;
	char platform[PLATFORM_TEXT_MAX], digest[DIGEST_TEXT_MAX];
	struct merge *merge = view_merge(v);
	size_t i;

	jsonwrite_member(w, "image", img->name);
	jsonwrite_member(w, "manifest",
			 digest_format(&img->manifest_descriptor.digest, digest));
	jsonwrite_member(w, "platform", platform_format(&img->platform, '/', platform));
	jsonwrite_member(w, "state", image_state(v));
	if (img->is_artifact)
		jsonwrite_member(w, "artifactType",
				 img->artifact_type ? img->artifact_type : "");
	add_progress(w, v);
	begin(w, "layers", '[');
	for (i = 0; i < layers->n_all; i++)
		add_layer(w, v, layers->all[i],
			  has_layers && img->is_artifact ? v->layers.all[i] : NULL);
	jsonwrite_close(w, ']');
	add_number(w, "unboundLinks", merge ? merge_unbound(merge) : 0);
	add_number(w, "skippedEntries", view_has_tree(v) ? v->totals.n_skipped : 0);
}

static void add_stores(struct jsonwrite *w, const struct store *s)
{
	const char *dir = store_dir(s);
	struct err trouble = {""};
	size_t k;

	(void)store_trouble(s, &trouble);
	jsonwrite_member(w, "store", dir ? dir : "");
	jsonwrite_member(w, "storeWarning", trouble.text);
	begin(w, "lowerStores", '[');
	for (k = 0; k < store_n_lower(s); k++)
		jsonwrite_text(w, store_lower_dir(s, k));
	jsonwrite_close(w, ']');
}

/* Over all images that were seen. */
static void add_sums(struct jsonwrite *w, struct images *is)
{
	struct layer_sums sums;
	uint64_t bytes, files;
	size_t n;

	add_stores(w, is->context->store);
	layers_sum(is->layers, &sums);
	add_number(w, "fetchedBytes", sums.fetched);
	add_number(w, "decodedBytes", sums.decoded);
	add_number(w, "cacheHits", sums.hits);
	add_number(w, "errors", get(&is->context->failures.n) + sums.errors);
	images_totals(is, &bytes, &files, &n);
	begin(w, "images", '{');
	add_number(w, "seen", table_count(&is->table));
	add_number(w, "loaded", n);
	jsonwrite_close(w, '}');
}

static void add_last_failures(struct jsonwrite *w, struct context *c)
{
	size_t i;

	begin(w, "lastErrors", '[');
	pthread_mutex_lock(&c->lock);
	for (i = 0; i < c->n_last; i++) {
		jsonwrite_open(w, '{');
		jsonwrite_member_number(w, "time", c->last[i].time);
		jsonwrite_member(w, "path", c->last[i].path);
		jsonwrite_member(w, "error", c->last[i].why);
		jsonwrite_close(w, '}');
	}
	pthread_mutex_unlock(&c->lock);
	jsonwrite_close(w, ']');
}

static void add_counts(struct jsonwrite *w, const struct context *c)
{
	struct client_stats s;
	size_t i;

	client_stats(c->client, &s);
	begin(w, "network", '{');
	add_number(w, "requests", s.requests);
	add_number(w, "bytes", s.bytes);
	add_number(w, "errors", s.errors);
	add_number(w, "retries", s.retries);
	jsonwrite_close(w, '}');
	begin(w, "operations", '{');
	for (i = 0; i < N_OPS; i++)
		add_number(w, op_names[i], get(&c->ops[i]));
	jsonwrite_close(w, '}');
}

int status_render(struct images *is, const struct view *v, struct buf *out)
{
	struct jsonwrite w;

	jsonwrite_init(&w, out);
	jsonwrite_open(&w, '{');
	jsonwrite_member(&w, "version", PEELFS_VERSION);
	if (v) {
		add_image(&w, v);
	} else {
		jsonwrite_member(&w, "namespace", is->context->options->source);
		jsonwrite_member(&w, "state", "ready");
	}
	if (is->list) {
		jsonwrite_key(&w, "list");
		image_list_render(is->list, &w);
	}
	add_sums(&w, is);
	add_last_failures(&w, is->context);
	add_counts(&w, is->context);
	jsonwrite_close(&w, '}');
	return jsonwrite_finish(&w);
}

/* SNAPSHOTS */

void snapshots_init(struct snapshots *ss)
{
	memset(ss, 0, sizeof(*ss));
	pthread_mutex_init(&ss->lock, NULL);
}

void snapshots_release(struct snapshots *ss)
{
	size_t i;

	for (i = 0; i < N_SNAPSHOTS; i++)
		free(ss->ring[i].text);
	pthread_mutex_destroy(&ss->lock);
}

static uint32_t snapshots_add(struct snapshots *ss, struct buf *text)
{
	struct snapshot *s;
	uint32_t number;

	pthread_mutex_lock(&ss->lock);
	number = ++ss->n;
	s = &ss->ring[number % N_SNAPSHOTS];
	free(s->text);
	s->number = number;
	s->len = text->len;
	s->text = buf_take(text);
	pthread_mutex_unlock(&ss->lock);
	return number;
}

ssize_t snapshots_read(struct snapshots *ss, uint32_t number, void *buf, size_t size,
		       uint64_t off, size_t *len)
{
	const struct snapshot *s = &ss->ring[number % N_SNAPSHOTS];
	ssize_t rc = -ESTALE;

	pthread_mutex_lock(&ss->lock);
	if (s->number == number && s->text) {
		if (off >= s->len)
			size = 0;
		else if (size > s->len - off)
			size = (size_t)(s->len - off);
		if (size > 0)
			memcpy(buf, s->text + off, size);
		if (len)
			*len = s->len;
		rc = (ssize_t)size;
	}
	pthread_mutex_unlock(&ss->lock);
	return rc;
}

int status_snapshot(struct snapshots *ss, struct images *is, struct view *v,
		    uint32_t *number)
{
	struct buf text;
	int rc;

	buf_init(&text, STATUS_MAX);
	rc = status_render(is, v, &text);
	if (rc == 0)
		*number = snapshots_add(ss, &text);
	buf_release(&text);
	return rc;
}

_Static_assert(sizeof(struct status_piece) == 16 + STATUS_PIECE_MAX &&
		       sizeof(struct status_piece) < 1 << _IOC_SIZEBITS,
	       "the kernel copies it, also for programs of 32 bits");

int status_read_piece(struct snapshots *ss, struct images *is, struct view *v,
		      struct status_piece *p)
{
	ssize_t n;
	int rc = 0;

	if (p->number == 0)
		rc = status_snapshot(ss, is, v, &p->number);
	if (rc < 0)
		return rc;
	memset(p->data, 0, sizeof(p->data));
	n = snapshots_read(ss, p->number, p->data, sizeof(p->data), p->off, NULL);
	p->len = n > 0 ? (uint32_t)n : 0;
	return n < 0 ? (int)n : 0;
}
