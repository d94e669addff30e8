/* SPDX-License-Identifier: MIT */
#include "tar/toc/toc_ref.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/source.h"
#include "tar/index/tree.h"
#include "tar/toc/blob_reader.h"
#include "tar/toc/estargz.h"
#include "tar/toc/pushed.h"
#include "tar/toc/toc.h"
#include "tar/toc/ztoc.h"

/*
 * A table may be small when it is compressed, so it may not describe as many entries as a layer
 * can have: the builder needs about 100 MiB for these. A layer with more is streamed.
 */
#define ENTRIES_MAX (1u << 20)

static int parse_digest(const char *text, struct digest *out, struct err *e)
{
	int rc = digest_parse(text, strlen(text), out);

	if (rc < 0)
		return err_set(e, rc,
			       "the digest of its table of contents is unreadable");
	return 0;
}

int toc_ref_parse(const struct toc_hints *h, struct toc_ref *out, struct err *e)
{
	struct toc_ref t = {.basis = BASIS_STREAM};
	int rc = 0;

	*out = t;
	if (h->estargz_digest)
		rc = parse_digest(h->estargz_digest, &t.json, e);
	if (rc == 0 && h->chunked_digest && h->chunked_position) {
		t.basis = BASIS_CHUNKED;
		rc = parse_digest(h->chunked_digest, &t.toc, e);
		if (rc == 0)
			rc = chunked_parse_position(h->chunked_position, &t.place, e);
	} else if (h->estargz_digest) {
		t.basis = BASIS_ESTARGZ;
		t.toc = t.json;
	} else if (h->beside_digest && h->beside) {
		t.basis = h->is_pushed ? BASIS_PUSHED : BASIS_SOCI;
		t.toc = *h->beside_digest;
		t.beside = source_ref(h->beside);
	}
	if (rc == 0)
		*out = t;
	return rc;
}

void toc_ref_release(struct toc_ref *t)
{
	source_unref(t->beside);
	t->beside = NULL;
}

bool toc_ref_vouches(const struct toc_ref *t, const struct index_info *info)
{
	return info->basis == BASIS_STREAM || digest_equal(&t->toc, &info->toc);
}

/* An index that is not a part of the layer. */
static int toc_ref_read_beside(const struct toc_ref *t, const struct blob_reader *r,
			       const struct digest *blob, struct tree *tree,
			       enum compression *compression, struct toc_facts *out,
			       struct err *e)
{
	struct pushed_facts pushed;
	struct ztoc_facts ztoc;
	int rc;

	if (t->basis == BASIS_PUSHED) {
		rc = pushed_read(t->beside, &t->toc, r, blob, tree, &pushed, e);
		if (rc < 0)
			return rc;
		out->decoded_size = pushed.decoded_size;
		*compression = pushed.compression;
		return 0;
	}
	rc = ztoc_read(t->beside, &t->toc, r, tree, &ztoc, e);
	if (rc < 0)
		return rc;
	out->decoded_size = ztoc.decoded_size;
	*compression = ztoc.compression;
	return 0;
}

static int toc_ref_read(const struct toc_ref *t, const struct blob_reader *r,
			const struct digest *blob, struct tree *tree,
			enum compression *compression, struct toc_facts *out,
			struct err *e)
{
	const struct digest *json = t->json.alg == DIGEST_NONE ? NULL : &t->json;

	if (t->beside)
		return toc_ref_read_beside(t, r, blob, tree, compression, out, e);
	if (t->basis == BASIS_ESTARGZ)
		return estargz_read(r, json, tree, compression, out, e);
	*compression = COMPRESSION_ZSTD;
	return chunked_read(r, &t->place, &t->toc, json, tree, out, e);
}

int toc_ref_make_index(const struct toc_ref *t, const struct blob_reader *r,
		       const struct digest *blob, int index_fd, uint64_t *prefetch,
		       struct err *e)
{
	enum compression compression = COMPRESSION_PLAIN;
	struct toc_facts toc = {0};
	struct index_info info;
	struct tree *tree = NULL;
	int rc = tree_new(index_fd, &tree);

	if (rc == 0) {
		tree_set_max(tree, ENTRIES_MAX);
		rc = toc_ref_read(t, r, blob, tree, &compression, &toc, e);
	}
	if (rc == 0) {
		info = (struct index_info){
			.blob = *blob,
			.blob_size = r->blob->size,
			.decoded_size = toc.decoded_size,
			.compression = compression,
			/* eStargz may be in zstd, too */
			.basis = compression == COMPRESSION_ZSTD && !t->beside
					 ? BASIS_CHUNKED
					 : t->basis,
			.toc = t->toc,
		};
		rc = tree_finish(tree, &info, e);
	}
	tree_free(tree);
	if (rc == 0)
		*prefetch = toc.prefetch;
	else if (e && !e->text[0])
		err_set(e, rc, "%s", strerror(-rc));
	return rc;
}
