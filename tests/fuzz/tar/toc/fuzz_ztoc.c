/* SPDX-License-Identifier: MIT */
/*
 * A zTOC of a layer of the stated size. An index made from it is consistent: its spans
 * are in order and inside the layer, and its files are inside what the spans cover.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/source.h"
#include "tar/codec/span.h"
#include "tar/toc/blob_reader.h"
#include "tar/toc/flatbuffer.h"
#include "tar/toc/ztoc.h"
#include "tests/unit/answers.h"
#include "tests/unit/plant.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool holds)
{
	if (!holds)
		abort();
}

/* A gzip header without optional fields, and zeros. */
static ssize_t blob_pread(struct source *s, void *buf, size_t len, uint64_t off,
			  struct err *e)
{
	static const uint8_t head[] = {0x1f, 0x8b, 8};
	size_t i;

	(void)s;
	(void)e;
	for (i = 0; i < len; i++)
		((uint8_t *)buf)[i] = off + i < sizeof(head) ? head[off + i] : 0;
	return (ssize_t)len;
}

static void blob_release(struct source *s)
{
	(void)s;
}

static void check_spans(const struct index *ix, uint64_t decoded_size)
{
	uint64_t out = 0, in = 0;
	struct span sp;
	uint32_t i;
	int rc;

	for (i = 0; (rc = index_span(ix, i, &sp)) == 0; i++) {
		need(sp.out == out && sp.in >= in);
		out += sp.out_len;
		in = sp.in;
	}
	need(rc == -ENOENT && out == decoded_size);
}

static void check_index(struct plant *p, const struct ztoc_facts *facts,
			uint64_t blob_size)
{
	struct index_info whole = {
		.blob = plant_digest,
		.blob_size = blob_size,
		.decoded_size = facts->decoded_size,
		.compression = facts->compression,
	};
	struct answers a;
	struct index *ix;

	plant_must(tree_finish(p->tree, &whole, NULL), "the index");
	tree_free(p->tree);
	plant_must(index_open(p->fd, &plant_digest, &ix, NULL), "the index");
	check_spans(ix, facts->decoded_size);
	answers_init(&a);
	answers_all(&a, ix);
	need(a.n_bad == 0);
	buf_release(&a.text);
	index_close(ix);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct source_ops ops = {.pread = blob_pread,
					      .release = blob_release};
	const struct fb_bytes bytes = {data, size};
	struct ztoc_facts facts = {0};
	struct fb_table root;
	struct source blob;
	uint64_t fetched = 0;
	int64_t blob_size = 1000;
	struct plant p;

	if (fb_root(&bytes, &root) == 0)
		(void)fb_get_i64(&root, 2, 0, &blob_size);
	if (blob_size < 0)
		return 0;
	source_init(&blob, &ops, (uint64_t)blob_size);
	plant_begin(&p);
	if (ztoc_parse(data, size,
		       &(struct blob_reader){.blob = &blob, .bytes = &fetched}, p.tree,
		       &facts, NULL) < 0) {
		tree_free(p.tree);
		close(p.fd);
		return 0;
	}
	check_index(&p, &facts, (uint64_t)blob_size);
	return 0;
}
