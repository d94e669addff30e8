/* SPDX-License-Identifier: MIT */
#include "tar/toc/toc_ref.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/source.h"
#include "tar/index/tree.h"
#include "tar/toc/blob_reader.h"
#include "tar/toc/estargz.h"
#include "tar/toc/hints.h"
#include "tar/toc/toc.h"
#include "tar/toc/ztoc.h"

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
	struct toc_ref c = {.basis = BASIS_STREAM};
	int rc = 0;

	*out = c;
	if (h->estargz_digest)
		rc = parse_digest(h->estargz_digest, &c.json, e);
	if (rc == 0 && h->chunked_digest && h->chunked_position) {
		c.basis = BASIS_CHUNKED;
		rc = parse_digest(h->chunked_digest, &c.toc, e);
		if (rc == 0)
			rc = chunked_parse_position(h->chunked_position, &c.place, e);
	} else if (h->estargz_digest) {
		c.basis = BASIS_ESTARGZ;
		c.toc = c.json;
	} else if (h->ztoc_digest && h->ztoc) {
		c.basis = BASIS_SOCI;
		c.toc = *h->ztoc_digest;
		c.ztoc = source_ref(h->ztoc);
	}
	if (rc == 0)
		*out = c;
	return rc;
}

void toc_ref_release(struct toc_ref *c)
{
	source_unref(c->ztoc);
	c->ztoc = NULL;
}

bool toc_ref_vouches(const struct toc_ref *c, const struct index_info *info)
{
	return info->basis == BASIS_STREAM || digest_equal(&c->toc, &info->toc);
}

static int read_table(const struct toc_ref *c, const struct blob_reader *r,
		      struct tree *tree, enum compression *compression,
		      struct toc_facts *out, struct err *e)
{
	const struct digest *json = c->json.alg == DIGEST_NONE ? NULL : &c->json;
	struct ztoc_facts facts;
	int rc;

	if (c->basis == BASIS_SOCI) {
		rc = ztoc_read(c->ztoc, &c->toc, r, tree, &facts, e);
		if (rc == 0) {
			out->decoded_size = facts.decoded_size;
			*compression = facts.compression;
		}
		return rc;
	}
	if (c->basis == BASIS_ESTARGZ)
		return estargz_read(r, json, tree, compression, out, e);
	*compression = COMPRESSION_ZSTD;
	return chunked_read(r, &c->place, &c->toc, json, tree, out, e);
}

int toc_ref_make_index(const struct toc_ref *c, const struct blob_reader *r,
		       const struct digest *blob, int index_fd, uint64_t *prefetch,
		       struct err *e)
{
	enum compression compression = COMPRESSION_PLAIN;
	struct toc_facts toc = {0};
	struct index_facts facts;
	struct tree *tree = NULL;
	int rc = tree_new(index_fd, &tree);

	if (rc == 0)
		rc = read_table(c, r, tree, &compression, &toc, e);
	if (rc == 0) {
		facts = (struct index_facts){
			.blob = *blob,
			.blob_size = r->blob->size,
			.decoded_size = toc.decoded_size,
			.compression = compression,
			.basis = compression == COMPRESSION_ZSTD ? BASIS_CHUNKED
								 : c->basis,
			.toc = c->toc,
		};
		rc = tree_finish(tree, &facts, e);
	}
	tree_free(tree);
	if (rc == 0)
		*prefetch = toc.prefetch;
	else if (e && !e->text[0])
		err_set(e, rc, "%s", strerror(-rc));
	return rc;
}
