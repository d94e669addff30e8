/* SPDX-License-Identifier: MIT */
#include "fs/image/status.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/store/store.h"
#include "fs/tree/merge.h"
#include "fs/image/context.h"
#include "fs/image/images.h"
#include "fs/image/layers.h"
#include "fs/options/options.h"
#include "registry/remote/client.h"
#include "registry/image_source.h"
#include "tar/index/index.h"
#include "tar/layer.h"

static const char *const state_names[] = {
	[LAYER_WAITING] = "waiting",
	[LAYER_INDEXING] = "indexing",
	[LAYER_READY] = "ready",
	[LAYER_BROKEN] = "broken",
};

static const char *const op_names[N_OPS] = {
	[OP_LOOKUP] = "lookup",	    [OP_GETATTR] = "getattr",
	[OP_READLINK] = "readlink", [OP_OPEN] = "open",
	[OP_OPENDIR] = "opendir",   [OP_READ] = "read",
	[OP_READDIR] = "readdir",   [OP_READDIRPLUS] = "readdirplus",
	[OP_GETXATTR] = "getxattr", [OP_LISTXATTR] = "listxattr",
	[OP_STATFS] = "statfs",	    [OP_LSEEK] = "lseek",
};

const char *status_from(const struct image_source *source, const struct layer_progress *p)
{
	if (p->was_stored)
		return "store";
	return source && image_source_is_local(source) ? "disk" : "registry";
}

/* Appends "key": "text" and what follows. Failures stick in *r. */
static void add_text(struct buf *out, int *r, const char *key, const char *text,
		     const char *after)
{
	if (*r == 0)
		*r = buf_printf(out, "\"%s\": ", key);
	if (*r == 0)
		*r = json_append_string(out, text, strlen(text));
	if (*r == 0)
		*r = buf_append_text(out, after);
}

static void add_number(struct buf *out, int *r, const char *key, uint64_t n,
		       const char *after)
{
	if (*r == 0)
		*r = buf_printf(out, "\"%s\": %" PRIu64 "%s", key, n, after);
}

static void add(struct buf *out, int *r, const char *text)
{
	if (*r == 0)
		*r = buf_append_text(out, text);
}

static void add_layer(struct buf *out, int *r, const struct view *v,
		      const struct mount_layer *l)
{
	const struct index *ix;
	struct layer_progress p;
	char digest[DIGEST_TEXT_MAX];

	mount_layer_progress(l, &p);
	ix = p.state == LAYER_READY ? layer_index(l->layer) : NULL;
	add(out, r, "    {");
	add_text(out, r, "digest", digest_format(&l->descriptor.digest, digest),
		 ",\n     ");
	add_text(out, r, "mediaType", l->descriptor.media_type, ",\n     ");
	add_text(out, r, "state", state_names[p.state], ", ");
	add_text(out, r, "from", status_from(v->image_source, &p), ", ");
	add_text(out, r, "index", ix ? index_basis_name(p.basis) : "", ", ");
	add_text(out, r, "warning", p.warning ? p.warning : "", ",\n     ");
	add_number(out, r, "size", l->descriptor.size, ", ");
	add_number(out, r, "fetched", p.fetched, ",\n     ");
	add_number(out, r, "spansRead", p.spans_read, ", ");
	add_number(out, r, "entries", p.entries, ", ");
	add_number(out, r, "skipped", ix ? index_info(ix)->n_skipped : 0, ", ");
	add_number(out, r, "errors", __atomic_load_n(&l->failures.n, __ATOMIC_RELAXED),
		   ", ");
	if (*r == 0)
		*r = buf_printf(out, "\"seconds\": %u.%03u, ", p.milliseconds / 1000,
				p.milliseconds % 1000);
	add_text(out, r, "error", mount_layer_why(l), "}");
}

static void add_layers(struct buf *out, int *r, const struct view *v)
{
	size_t i;

	add(out, r, "  \"layers\": [");
	for (i = 0; i < v->image->n_layers; i++) {
		add(out, r, i ? ",\n" : "\n");
		add_layer(out, r, v, v->layers[i]);
	}
	add(out, r, "\n  ],\n");
}

/* Once for each layer, though the image may have it twice. */
static void add_skipped(struct buf *out, int *r, const struct view *v)
{
	uint64_t skipped = 0;
	size_t i;

	for (i = 0; i < v->n_own; i++) {
		if (v->own[i]->loaded == 0 && !v->own[i]->is_file)
			skipped += index_info(layer_index(v->own[i]->layer))->n_skipped;
	}
	add_number(out, r, "unboundLinks", v->merge ? merge_unbound(v->merge) : 0,
		   ",\n  ");
	add_number(out, r, "skippedEntries", skipped, ",\n  ");
}

/* Over all images that were seen. */
static void add_sums(struct buf *out, int *r, struct images *is)
{
	uint64_t errors = __atomic_load_n(&is->context->failures.n, __ATOMIC_RELAXED);
	struct layer_sums sums;

	layers_sum(is->layers, &sums);
	errors += sums.errors;
	add_number(out, r, "fetchedBytes", sums.fetched, ",\n  ");
	add_number(out, r, "decodedBytes", sums.decoded, ",\n  ");
	add_number(out, r, "cacheHits", sums.hits, ",\n  ");
	add_number(out, r, "errors", errors, ",\n");
}

static void add_network(struct buf *out, int *r, const struct context *c)
{
	struct client_stats s;

	client_stats(c->client, &s);
	add(out, r, "  \"network\": {");
	add_number(out, r, "requests", s.requests, ", ");
	add_number(out, r, "bytes", s.bytes, ", ");
	add_number(out, r, "errors", s.errors, ", ");
	add_number(out, r, "retries", s.retries, "},\n");
}

static void add_store(struct buf *out, int *r, const struct context *c)
{
	const char *dir = store_dir(c->store);
	struct err trouble = {""};

	(void)store_trouble(c->store, &trouble);
	add_text(out, r, "store", dir ? dir : "", ",\n  ");
	add_text(out, r, "storeWarning", trouble.text, "");
}

static void add_ops(struct buf *out, int *r, const struct context *c)
{
	size_t i;

	add(out, r, "  \"operations\": {");
	for (i = 0; i < N_OPS; i++)
		add_number(out, r, op_names[i],
			   __atomic_load_n(&c->ops[i], __ATOMIC_RELAXED),
			   i + 1 < N_OPS ? ", " : "}\n");
}

static void add_images(struct buf *out, int *r, struct images *is)
{
	uint64_t bytes, files;
	size_t n;

	images_totals(is, &bytes, &files, &n);
	add(out, r, "  \"images\": {");
	add_number(out, r, "seen", table_count(&is->table), ", ");
	add_number(out, r, "loaded", n, "},\n");
}

/* The part about all images of the mount, and the end. */
static void add_mount(struct buf *out, int *r, struct images *is)
{
	add_sums(out, r, is);
	add_images(out, r, is);
	add_network(out, r, is->context);
	add_ops(out, r, is->context);
	add(out, r, "}\n");
}

int status_render(struct view *v, struct buf *out)
{
	const struct image *img = v->image;
	char platform[PLATFORM_TEXT_MAX], digest[DIGEST_TEXT_MAX];
	int rc = 0;

	add(out, &rc, "{\n  ");
	add_text(out, &rc, "version", PEELFS_VERSION, ",\n  ");
	add_text(out, &rc, "image", img->name, ",\n  ");
	add_text(out, &rc, "manifest",
		 digest_format(&img->manifest_descriptor.digest, digest), ",\n  ");
	add_text(out, &rc, "platform", platform_format(&img->platform, '/', platform),
		 ",\n  ");
	add_text(out, &rc, "state", v->n_broken == 0 ? "ready" : "broken", ",\n  ");
	if (img->is_artifact)
		add_text(out, &rc, "artifactType",
			 img->artifact_type ? img->artifact_type : "", ",\n  ");
	add_store(out, &rc, v->context);
	add(out, &rc, ",\n");
	add_layers(out, &rc, v);
	add(out, &rc, "  ");
	add_skipped(out, &rc, v);
	add_mount(out, &rc, v->images);
	return rc;
}

int status_render_all(struct images *is, struct buf *out)
{
	int rc = 0;

	add(out, &rc, "{\n  ");
	add_text(out, &rc, "version", PEELFS_VERSION, ",\n  ");
	add_text(out, &rc, "namespace", is->context->options->source, ",\n  ");
	add_text(out, &rc, "state", "ready", ",\n  ");
	add_store(out, &rc, is->context);
	add(out, &rc, ",\n  ");
	add_mount(out, &rc, is);
	return rc;
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
	rc = v ? status_render(v, &text) : status_render_all(is, &text);
	if (rc == 0)
		*number = snapshots_add(ss, &text);
	buf_release(&text);
	return rc;
}
