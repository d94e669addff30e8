/* SPDX-License-Identifier: MIT */
/*
 * A table of contents. However it is cut into pieces, the result is the same. An index
 * made from it is consistent: its spans are one behind another, cover the stated size,
 * and lie before the table.
 *
 * The last byte is the cut; the others are JSON.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tar/codec/span.h"
#include "tar/toc/toc.h"
#include "tests/unit/answers.h"
#include "tests/unit/plant.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool holds)
{
	if (!holds)
		abort();
}

static void check_spans(const struct index *ix, const struct toc_facts *facts)
{
	uint64_t out = 0, in = 0;
	struct span sp;
	uint32_t i;
	int rc;

	for (i = 0; (rc = index_span(ix, i, &sp)) == 0; i++) {
		need(sp.out == out && sp.in >= in &&
		     sp.in + sp.in_len <= PLANT_BLOB_SIZE);
		out += sp.out_len;
		in = sp.in;
	}
	need(rc == -ENOENT && out == facts->decoded_size && facts->prefetch <= out);
}

/* The result, as a code and text. */
static int make(const uint8_t *json, size_t len, size_t piece, struct answers *a)
{
	const struct toc_options options = {SPAN_GZIP, PLANT_BLOB_SIZE, piece % 2};
	struct toc_facts facts;
	struct toc *t = NULL;
	struct index *ix;
	struct plant p;
	size_t at;
	int rc = 0;

	plant_begin(&p);
	plant_must(toc_new(&options, p.tree, &t), "a table");
	for (at = 0; rc == 0 && at < len; at += piece)
		rc = toc_feed(t, json + at, len - at < piece ? len - at : piece, NULL);
	if (rc == 0)
		rc = toc_finish(t, &facts, NULL);
	toc_free(t);
	if (rc < 0) {
		tree_free(p.tree);
		close(p.fd);
		return rc;
	}
	ix = plant_open(&p);
	check_spans(ix, &facts);
	answers_all(a, ix);
	need(a->n_bad == 0);
	index_close(ix);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct answers whole, part;
	size_t piece;
	int rc;

	if (size == 0)
		return 0;
	size--;
	piece = data[size] | 1;
	answers_init(&whole);
	answers_init(&part);
	rc = make(data, size, size | 1, &whole);
	need(rc == make(data, size, piece, &part));
	need(strcmp(buf_text(&whole.text), buf_text(&part.text)) == 0);
	buf_release(&whole.text);
	buf_release(&part.text);
	return 0;
}
