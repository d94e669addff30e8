/* SPDX-License-Identifier: MIT */
#include "fs/status.h"

#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/store.h"
#include "fs/merge.h"
#include "fs/mount.h"
#include "registry/client.h"
#include "registry/origin.h"
#include "tar/index.h"
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

const char *status_from(const struct mount *m, const struct layer_progress *p)
{
	if (p->was_stored)
		return "store";
	return origin_is_local(m->origin) ? "disk" : "registry";
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

static void add_layer(struct buf *out, int *r, const struct mount *m,
		      const struct mount_layer *l)
{
	const struct index *ix;
	struct layer_progress p;
	char digest[DIGEST_TEXT_MAX];

	mount_layer_progress(l, &p);
	ix = p.state == LAYER_READY ? layer_index(l->layer) : NULL;
	add(out, r, "    {");
	add_text(out, r, "digest", digest_format(&l->descriptor->digest, digest),
		 ",\n     ");
	add_text(out, r, "mediaType", l->descriptor->media_type, ",\n     ");
	add_text(out, r, "state", state_names[p.state], ", ");
	add_text(out, r, "from", status_from(m, &p), ", ");
	add_text(out, r, "index", ix ? index_origin_name(p.origin) : "", ", ");
	add_text(out, r, "warning", p.warning ? p.warning : "", ",\n     ");
	add_number(out, r, "size", l->descriptor->size, ", ");
	add_number(out, r, "fetched", p.fetched, ",\n     ");
	add_number(out, r, "spansRead", p.spans_read, ", ");
	add_number(out, r, "entries", p.entries, ", ");
	add_number(out, r, "skipped", ix ? index_info(ix)->n_skipped : 0, ", ");
	add_number(out, r, "errors", __atomic_load_n(&l->errors, __ATOMIC_RELAXED), ", ");
	if (*r == 0)
		*r = buf_printf(out, "\"seconds\": %u.%03u, ", p.milliseconds / 1000,
				p.milliseconds % 1000);
	add_text(out, r, "error", l->loaded < 0 ? l->why.text : "", "}");
}

static void add_layers(struct buf *out, int *r, const struct mount *m)
{
	const struct view *v = &m->view;
	size_t i;

	add(out, r, "  \"layers\": [");
	for (i = 0; i < v->image->n_layers; i++) {
		add(out, r, i ? ",\n" : "\n");
		add_layer(out, r, m, &m->layers[v->slots[i]]);
	}
	add(out, r, "\n  ],\n");
}

/* Once for each layer, though the image may have it twice. */
static void add_sums(struct buf *out, int *r, const struct mount *m)
{
	uint64_t fetched = 0, stored = 0, errors = m->errors, skipped = 0, hits = 0;
	struct layer_progress p;
	const struct index *ix;
	size_t i;

	for (i = 0; i < m->n_layers; i++) {
		mount_layer_progress(&m->layers[i], &p);
		ix = p.state == LAYER_READY ? layer_index(m->layers[i].layer) : NULL;
		fetched += p.fetched;
		stored += p.decoded;
		hits += p.was_stored;
		errors += m->layers[i].errors + (p.state == LAYER_BROKEN);
		skipped += ix ? index_info(ix)->n_skipped : 0;
	}
	add_number(out, r, "unboundLinks",
		   m->view.merge ? merge_unbound(m->view.merge) : 0, ",\n  ");
	add_number(out, r, "skippedEntries", skipped, ",\n  ");
	add_number(out, r, "fetchedBytes", fetched, ",\n  ");
	add_number(out, r, "decodedBytes", stored, ",\n  ");
	add_number(out, r, "cacheHits", hits, ",\n  ");
	add_number(out, r, "errors", errors, ",\n");
}

static void add_network(struct buf *out, int *r, const struct mount *m)
{
	struct client_stats s;

	client_stats(m->client, &s);
	add(out, r, "  \"network\": {");
	add_number(out, r, "requests", s.requests, ", ");
	add_number(out, r, "bytes", s.bytes, ", ");
	add_number(out, r, "errors", s.errors, ", ");
	add_number(out, r, "retries", s.retries, "},\n");
}

static void add_ops(struct buf *out, int *r, const struct mount *m)
{
	size_t i;

	add(out, r, "  \"operations\": {");
	for (i = 0; i < N_OPS; i++)
		add_number(out, r, op_names[i],
			   __atomic_load_n(&m->ops[i], __ATOMIC_RELAXED),
			   i + 1 < N_OPS ? ", " : "}\n");
}

int status_render(struct mount *m, struct buf *out)
{
	const struct image *img = m->view.image;
	char platform[PLATFORM_TEXT_MAX], digest[DIGEST_TEXT_MAX];
	const char *dir = store_dir(m->store);
	int r = 0;

	add(out, &r, "{\n  ");
	add_text(out, &r, "version", PEELFS_VERSION, ",\n  ");
	add_text(out, &r, "image", img->name, ",\n  ");
	add_text(out, &r, "manifest",
		 digest_format(&img->manifest_descriptor.digest, digest), ",\n  ");
	add_text(out, &r, "platform", platform_format(&img->platform, '/', platform),
		 ",\n  ");
	add_text(out, &r, "state", m->view.n_broken == 0 ? "ready" : "broken", ",\n  ");
	if (img->is_artifact)
		add_text(out, &r, "artifactType",
			 img->artifact_type ? img->artifact_type : "", ",\n  ");
	add_text(out, &r, "store", dir ? dir : "", ",\n");
	add_layers(out, &r, m);
	add(out, &r, "  ");
	add_sums(out, &r, m);
	add_network(out, &r, m);
	add_ops(out, &r, m);
	add(out, &r, "}\n");
	return r;
}
