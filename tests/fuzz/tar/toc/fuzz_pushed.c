/* SPDX-License-Identifier: MIT */
/*
 * A pushed index, without its frame, of the layer of plant.h. An index made from it is
 * consistent: its spans are in order and cover the layer, its files are inside, and it can be
 * pushed again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tar/codec/span.h"
#include "tar/toc/push.h"
#include "tar/toc/pushed.h"
#include "tests/unit/answers.h"
#include "tests/unit/plant.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool holds)
{
	if (!holds)
		abort();
}

static void check_spans(const struct index *ix, uint64_t decoded_size)
{
	uint64_t out = 0;
	struct span sp;
	uint32_t i;
	int rc;

	for (i = 0; (rc = index_span(ix, i, &sp)) == 0; i++) {
		need(sp.out == out);
		out += sp.out_len;
	}
	need(rc == -ENOENT && out == decoded_size);
}

static void check_again(const struct index *ix)
{
	struct pushed_facts facts;
	struct plant p;
	struct buf raw;
	int rc;

	buf_init(&raw, 64u << 20);
	rc = push_write_raw(ix, &raw, NULL);
	need(rc == 0 || rc == -ENOTSUP || rc == -E2BIG);
	if (rc == 0) {
		plant_begin(&p);
		need(pushed_parse(raw.data, raw.len, &plant_digest, PLANT_BLOB_SIZE,
				  p.tree, &facts, NULL) == 0);
		tree_free(p.tree);
		close(p.fd);
	}
	buf_release(&raw);
}

static void check_index(struct plant *p, const struct pushed_facts *facts)
{
	struct index_info whole = {
		.blob = plant_digest,
		.blob_size = PLANT_BLOB_SIZE,
		.decoded_size = facts->decoded_size,
		.compression = facts->compression,
		.basis = BASIS_PUSHED,
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
	check_again(ix);
	index_close(ix);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pushed_facts facts = {0};
	struct plant p;

	plant_begin(&p);
	if (pushed_parse(data, size, &plant_digest, PLANT_BLOB_SIZE, p.tree, &facts,
			 NULL) < 0) {
		tree_free(p.tree);
		close(p.fd);
		return 0;
	}
	check_index(&p, &facts);
	return 0;
}
