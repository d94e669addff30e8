/* SPDX-License-Identifier: MIT */
#ifndef TAR_DIFF_ID_H
#define TAR_DIFF_ID_H

#include <stdbool.h>

struct digest;
struct err;
struct layer;
struct store;

/*
 * The diff ID of a layer, which is LAYER_READY: the SHA-256 of all its decoded bytes. It is
 * computed once and noted in @store, that of the layer; layer_want_diff_id() makes the first
 * pass do so. Else this reads the whole layer, from the store and what that lacks from the
 * network; -EINTR soon after *@cancelled (NULL: never) becomes true.
 *
 * -ENOTSUP: the index was made from a table of contents. Then nothing says that the tree is
 * that of the bytes, so a digest of the bytes would vouch for nothing. Else the errors of
 * layer_get(). All with a sentence. Any thread.
 */
int diff_id_of(struct store *store, struct layer *l, const bool *cancelled,
	       struct digest *out, struct err *e);

#endif
