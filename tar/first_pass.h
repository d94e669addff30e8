/* SPDX-License-Identifier: MIT */
/*
 * The first pass over a layer: all of its compressed bytes go by once, and nothing
 * that can be learnt from them is left for a second time.
 *
 *	blob -> (a second thread) -> SHA-256, must be the blob's digest at the end
 *	     -> decoder -> (a third, if it is gzip) -> spans
 *	        |
 *	        +-> (a fourth thread) -> the store's data file
 *	                             -> tar reader -> tree, SHA-256 of each file
 *
 * Memory does not depend on the layer but for the tree (tree.h).
 */
#ifndef TAR_FIRST_PASS_H
#define TAR_FIRST_PASS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"

struct err;
struct source;
struct store;

struct first_pass {
	struct source *blob;
	const struct digest *digest; /* what the blob must have */
	int index_fd;		     /* an empty file */
	/* for the decoded bytes, sparse; -1: they are not kept */
	int data_fd;
	/* that data_fd is in: asked for room, and told of work; borrowed */
	struct store *store;
	const bool *cancelled; /* or NULL */
	/* Zero at first; written on the way, atomically: read them from any thread. */
	uint64_t done;	  /* compressed bytes */
	uint64_t decoded; /* bytes */
	uint32_t entries;
	/* The result beside the index: decoded bytes below this are in data_fd. */
	uint64_t stored;
};

/*
 * 0: the index is in index_fd, not yet fsynced. -EBADMSG, -E2BIG or -ENOTSUP for a
 * layer that can never be read, -EINTR when cancelled, else what reading failed with.
 */
int first_pass_run(struct first_pass *p, struct err *e);

#endif
