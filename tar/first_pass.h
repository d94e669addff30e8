/* SPDX-License-Identifier: MIT */
/*
 * The first pass over a layer reads all of its compressed bytes once, and learns
 * everything that is needed later.
 *
 *	blob -> (a second thread) -> SHA-256, must be the blob's digest at the end
 *	                          -> the store's copy, in case the pass is interrupted
 *	     -> decoder -> (a third, if it is gzip) -> spans
 *	        |
 *	        +-> (a fourth thread) -> the store's data file
 *	                             -> tar reader -> tree, SHA-256 of each file
 *	                             -> (a fifth, if it is wanted) -> diff ID
 *
 * Only the tree (tree.h) takes memory that depends on the layer.
 */
#ifndef TAR_FIRST_PASS_H
#define TAR_FIRST_PASS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"

struct err;
struct partial;
struct source;
struct store;

struct first_pass {
	struct source *blob;
	const struct digest *digest; /* the digest that the blob must have */
	int index_fd;		     /* an empty file */
	/* for the decoded bytes, sparse; -1 if they are not stored */
	int data_fd;
	/* the store of data_fd: for space and for store_note_work(); borrowed */
	struct store *store;
	/* What an earlier pass left of the blob, and the place for more; NULL if none. */
	struct partial *partial;
	const bool *cancelled; /* may be NULL */
	bool wants_diff_id;    /* costs a seventh more processor time */
	/* Updated during the pass, atomically; any thread may read them. */
	uint64_t done;	  /* compressed bytes */
	uint64_t kept;	  /* of them, those that an earlier pass left */
	uint64_t decoded; /* bytes */
	uint32_t entries;
	/*
	 * Results besides the index. The whole blob was read and has its digest, so an error is
	 * the image's fault and not the transfer's.
	 */
	bool is_proven;
	/* SHA-256 of the decoded bytes, if it was wanted and there is an index. */
	struct digest diff_id;
	/* The decoded bytes below this are in data_fd. */
	uint64_t stored;
};

/*
 * 0: the index is in index_fd, not yet fsynced. -EBADMSG, -E2BIG or -ENOTSUP for a layer
 * that can never be read, -EINTR when cancelled, else the error of reading.
 *
 * With @kept not 0, an error that is not proven may be the fault of the kept bytes.
 */
int first_pass_run(struct first_pass *p, struct err *e);

#endif
