/* SPDX-License-Identifier: MIT */
/*
 * tar-split: what of a layer's archive is not the content of a file of its tree, in such a
 * form that the archive can be made again, byte for byte, from that and the files. Engines that
 * keep layers unpacked do so when an image is pushed or saved (github.com/vbatts/tar-split).
 *
 * It is gzip of lines of JSON, in the order of the archive:
 *
 *	{"type":2,"payload":BASE64,"position":N}	bytes: headers, padding
 *	{"type":1,"name":PATH,"size":SIZE,"payload":BASE64 of a CRC-64,"position":N}
 *							the content of a file
 */
#ifndef TAR_TAR_SPLIT_H
#define TAR_TAR_SPLIT_H

#include <stdbool.h>
#include <stdint.h>

struct err;
struct layer;
struct store;

/*
 * Writes that of a layer, which is LAYER_READY, to the empty file @fd, borrowed, within the
 * limit of @store, to which it belongs. *size: of the file. The layer's bytes come from the
 * store or the network. The same layer always gives the same bytes.
 *
 * A file that the tree does not show as the archive has it (replaced, sparse, hidden by its
 * name) is among the other bytes. -ENOTSUP: the index was made from a table of contents, which
 * does not know all bytes of the archive. -EINTR soon after *@cancelled becomes true. Else the
 * errors of layer_get() or of writing. All with a sentence.
 */
int tar_split_write(struct store *store, struct layer *l, int fd, const bool *cancelled,
		    uint64_t *size, struct err *e);

#endif
