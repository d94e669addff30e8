/* SPDX-License-Identifier: MIT */
/*
 * An archive is scanned from its start to its end at every mount. Most files of zstd are one long
 * frame, and a part of it that is not stored is decoded from the start of the frame. With many
 * such parts that takes hours, so if the store has no room for them, the archive is decoded into
 * an unnamed file.
 */
#include "tar/packed.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/source.h"
#include "base/store/documents.h"
#include "base/store/room.h"
#include "base/store/store.h"
#include "tar/layer.h"

#define NOTE_MAX 256

/* Output that is thrown away to read a part: more is too much. */
#define WASTE_MAX (16u << 20)

struct packed {
	struct source source;
	struct store *own; /* a private store that the layer is in; or NULL */
	struct layer *layer;
};

/* The file, with its bytes counted */

struct counted {
	struct source source;
	struct source *file;
	uint64_t *read;
};

static ssize_t counted_pread(struct source *s, void *buf, size_t len, uint64_t off,
			     struct err *e)
{
	struct counted *c = (struct counted *)s;
	ssize_t n = source_pread(c->file, buf, len, off, e);

	if (n > 0)
		__atomic_fetch_add(c->read, (uint64_t)n, __ATOMIC_RELAXED);
	return n;
}

static void counted_release(struct source *s)
{
	source_unref(((struct counted *)s)->file);
	free(s);
}

static int counted_new(struct source *file, uint64_t *read, struct source **out)
{
	static const struct source_ops ops = {.pread = counted_pread,
					      .release = counted_release};
	struct counted *c = malloc(sizeof(*c));

	if (!c)
		return -ENOMEM;
	source_init(&c->source, &ops, file->size);
	c->file = source_ref(file);
	c->read = read;
	*out = &c->source;
	return 0;
}

/* The digest of the file */

static int hash_file(struct source *file, const bool *cancelled, struct digest *out,
		     struct err *e)
{
	struct hasher *h = NULL;
	struct stream *st = NULL;
	const void *data = NULL;
	ssize_t n = 0;
	int rc = hasher_new(DIGEST_SHA256, &h);

	if (rc == 0)
		rc = source_stream(file, 0, &st, e);
	while (rc == 0 && (n = stream_next(st, &data, e)) > 0) {
		hasher_update(h, data, (size_t)n);
		if (cancelled && __atomic_load_n(cancelled, __ATOMIC_RELAXED))
			rc = err_set(e, -EINTR, "interrupted");
	}
	if (rc == 0 && n < 0)
		rc = (int)n;
	if (rc == 0)
		hasher_finish(h, out);
	stream_close(st);
	hasher_free(h);
	return rc;
}

static bool get_noted(struct store *store, const char *name, struct digest *out)
{
	struct buf text;
	bool is;

	buf_init(&text, NOTE_MAX);
	is = store_get_note(store, name, &text) == 0 &&
	     digest_parse(buf_text(&text), text.len, out) == 0;
	buf_release(&text);
	return is;
}

static int find_digest(struct store *store, struct source *file, const char *identity,
		       const bool *cancelled, struct digest *out, struct err *e)
{
	char name[NOTE_MAX], text[DIGEST_TEXT_MAX];
	int rc;

	snprintf(name, sizeof(name), "archive %s", identity ? identity : "");
	if (identity && get_noted(store, name, out))
		return 0;
	rc = hash_file(file, cancelled, out, e);
	if (rc == 0 && identity)
		(void)store_put_note(store, name, digest_format(out, text));
	return rc;
}

/* The decoded bytes */

static ssize_t packed_pread(struct source *s, void *buf, size_t len, uint64_t off,
			    struct err *e)
{
	struct layer *l = ((struct packed *)s)->layer;
	struct layer_data data;
	int rc = layer_get(l, off, &len, NULL, &data, e);

	if (rc < 0)
		return rc;
	if (data.fd < 0)
		memcpy(buf, data.mem, len);
	else
		rc = fd_read_all(data.fd, buf, len, data.off);
	layer_unget(l, &data);
	return rc < 0 ? err_set(e, rc, "cannot read from the store: %s", strerror(-rc))
		      : (ssize_t)len;
}

static void packed_release(struct source *s)
{
	struct packed *p = (struct packed *)s;

	layer_free(p->layer);
	store_close(p->own);
	free(p);
}

/* Removes "layer DIGEST: ". */
static int without_layer(const struct layer *l, const struct err *why, int rc,
			 struct err *e)
{
	char digest[DIGEST_TEXT_MAX], prefix[DIGEST_TEXT_MAX + 16];
	int n = snprintf(prefix, sizeof(prefix),
			 "layer %s: ", digest_format(layer_digest(l), digest));
	bool has = strncmp(why->text, prefix, (size_t)n) == 0;

	return err_set(e, rc, "%s", why->text + (has ? n : 0));
}

static int load_layer(struct packed *p, struct store *store, const struct digest *digest,
		      struct source *file, const bool *cancelled, struct err *e)
{
	struct err why = {""};
	int rc = layer_new(store, digest, source_ref(file), &p->layer);

	if (rc < 0)
		return rc;
	rc = layer_load(p->layer, cancelled, &why);
	return rc < 0 ? without_layer(p->layer, &why, rc, e) : 0;
}

/* Whether much of the archive would be decoded again and again, now or later. */
static bool is_slow(struct store *store, const struct layer *l)
{
	const struct index *ix = layer_index(l);
	uint64_t missing = 0;
	bool is_far = false;
	struct span sp;
	uint32_t i;

	for (i = 0; index_span(ix, i, &sp) == 0; i++) {
		if (layer_is_stored(l, i))
			continue;
		missing += sp.out_len;
		is_far |= sp.skip > WASTE_MAX;
	}
	return is_far && (!layer_can_store(l) || store_make_room(store, missing) < 0);
}

static int packed_load(struct packed *p, struct store *store, const struct digest *digest,
		       struct source *file, const bool *cancelled, struct err *e)
{
	static const struct source_ops ops = {.pread = packed_pread,
					      .release = packed_release};
	int rc = load_layer(p, store, digest, file, cancelled, e);

	if (rc == 0 && is_slow(store, p->layer)) {
		layer_free(p->layer);
		p->layer = NULL;
		rc = store_open_private(&p->own, e);
		if (rc == 0)
			rc = load_layer(p, p->own, digest, file, cancelled, e);
	}
	if (rc == 0)
		source_init(&p->source, &ops,
			    index_info(layer_index(p->layer))->decoded_size);
	return rc;
}

static int open_counted(struct store *store, struct source *file, const char *identity,
			const bool *cancelled, struct source **out, struct err *e)
{
	struct packed *p;
	struct digest d;
	int rc = find_digest(store, file, identity, cancelled, &d, e);

	if (rc < 0)
		return rc;
	p = calloc(1, sizeof(*p));
	if (!p)
		return err_set(e, -ENOMEM, "out of memory");
	rc = packed_load(p, store, &d, file, cancelled, e);
	if (rc < 0)
		packed_release(&p->source);
	else
		*out = &p->source;
	return rc;
}

int packed_open(struct store *store, struct source *file, const char *identity,
		const bool *cancelled, uint64_t *read, struct source **out, struct err *e)
{
	struct source *counted;
	int rc = counted_new(file, read, &counted);

	if (rc < 0)
		return err_set(e, rc, "out of memory");
	rc = open_counted(store, counted, identity, cancelled, out, e);
	source_unref(counted);
	return rc;
}
