/* SPDX-License-Identifier: MIT */
#include "tar/diff_id.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/store/slot.h"
#include "tar/diff_note.h"
#include "tar/layer.h"

#define CHUNK (256 * 1024)

/* At most CHUNK bytes at @off: how many, or negative errno. */
static ssize_t hash_piece(struct layer *l, struct hasher *h, char *buf, uint64_t off,
			  const bool *cancelled, struct err *e)
{
	struct layer_data data;
	size_t len = CHUNK;
	int rc = layer_get(l, off, &len, cancelled, &data, e);

	if (rc == -ESTALE) /* the decoded bytes are the same */
		rc = layer_get(l, off, &len, cancelled, &data, e);
	if (rc < 0)
		return rc;
	if (data.fd >= 0)
		rc = fd_read_all(data.fd, buf, len, data.off);
	if (rc == 0)
		hasher_update(h, data.fd >= 0 ? buf : data.mem, len);
	layer_unget(l, &data);
	if (rc < 0)
		return err_set(e, rc, "cannot read from the store: %s", strerror(-rc));
	return (ssize_t)len;
}

static int hash_layer(struct store *store, struct layer *l, const bool *cancelled,
		      struct digest *out, struct err *e)
{
	uint64_t off = 0, size = index_info(layer_index(l))->decoded_size;
	struct hasher *h = NULL;
	char *buf = malloc(CHUNK);
	int rc = buf ? hasher_new(DIGEST_SHA256, &h) : -ENOMEM;
	ssize_t n;

	if (rc < 0)
		err_set(e, rc, "out of memory");
	for (; rc == 0 && off < size; off += (uint64_t)n) {
		n = hash_piece(l, h, buf, off, cancelled, e);
		if (n < 0)
			rc = (int)n;
		else if (cancelled && __atomic_load_n(cancelled, __ATOMIC_RELAXED))
			rc = err_set(e, -EINTR, "interrupted");
		store_note_work(store);
	}
	if (rc == 0)
		hasher_finish(h, out);
	hasher_free(h);
	free(buf);
	return rc;
}

int diff_id_of(struct store *store, struct layer *l, const bool *cancelled,
	       struct digest *out, struct err *e)
{
	const struct index_info *info = index_info(layer_index(l));
	char text[DIGEST_TEXT_MAX];
	int rc;

	if (info->basis != BASIS_STREAM)
		return err_set(e, -ENOTSUP,
			       "layer %s: only its table of contents is known",
			       digest_format(layer_digest(l), text));
	if (diff_note_get(store, layer_digest(l), out))
		return 0;
	rc = hash_layer(store, l, cancelled, out, e);
	if (rc == 0)
		diff_note_put(store, layer_digest(l), out);
	return rc;
}
