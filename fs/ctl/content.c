/* SPDX-License-Identifier: MIT */
#include "fs/ctl/content.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "fs/ctl/reader.h"
#include "fs/image/layers.h"
#include "fs/tree/identity.h"
#include "fs/tree/node.h"
#include "tar/layer.h"

struct content_digest {
	bool is_known;
	bool is_sure;
	uint8_t bytes[32];
};

/* 0, or a negative errno. */
static int find_digest(const struct content *c, struct content_digest *out)
{
	struct mount_layer *l;
	struct node node;
	struct entry e;
	int rc;

	*out = (struct content_digest){.is_known = false};
	node_unpack(c->node, &node);
	l = node.kind == NODE_FILE ? layers_get(&c->reader->mount.layers, node.layer)
				   : NULL;
	if (!l)
		return 0;
	rc = mount_layer_pin(l, NULL);
	if (rc < 0)
		return rc;
	if (l->loaded == 0 && index_entry(layer_index(l->layer), node.entry, &e) == 0 &&
	    e.digest) {
		out->is_known = true;
		out->is_sure = identity_is_digest_sure(layer_index(l->layer), &e);
		memcpy(out->bytes, e.digest, sizeof(out->bytes));
	}
	mount_layer_unpin(l);
	return 0;
}

/* As content_compare(). Both have the same size. */
static int compare_bytes(const struct content *a, const struct content *b,
			 struct reader **failed)
{
	char *buf = malloc(2 * (size_t)READER_PART);
	uint64_t off = 0;
	int rc = buf ? 0 : -ENOMEM;
	size_t n;

	*failed = a->reader;
	while (rc == 0 && off < a->size) {
		n = a->size - off < READER_PART ? (size_t)(a->size - off) : READER_PART;
		*failed = a->reader;
		rc = reader_part(a->reader, a->node, off, buf, n);
		if (rc == 0) {
			*failed = b->reader;
			rc = reader_part(b->reader, b->node, off, buf + READER_PART, n);
		}
		if (rc == 0)
			rc = memcmp(buf, buf + READER_PART, n) != 0;
		off += n;
	}
	free(buf);
	return rc;
}

int content_compare(const struct content *a, const struct content *b,
		    struct reader **failed)
{
	struct content_digest x, y;
	int rc;

	if (a->size != b->size)
		return 1;
	if (a->size == 0)
		return 0;
	*failed = a->reader;
	rc = find_digest(a, &x);
	if (rc < 0)
		return rc;
	*failed = b->reader;
	rc = find_digest(b, &y);
	if (rc < 0)
		return rc;
	if (x.is_known && y.is_known) {
		if (memcmp(x.bytes, y.bytes, sizeof(x.bytes)) != 0)
			return 1;
		if (x.is_sure && y.is_sure)
			return 0;
	}
	return compare_bytes(a, b, failed);
}
