/* SPDX-License-Identifier: MIT */
/*
 * A digest that is computed in a thread of its own, while the caller does something else
 * with the same bytes.
 */
#ifndef TAR_SIDE_HASH_H
#define TAR_SIDE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"

struct side_hash;

/* What that thread also does with the bytes; @off is what came before them. */
typedef void side_hash_also(void *arg, const void *data, size_t len, uint64_t off);

/* Starts the thread; @also may be NULL. 0 or negative errno. */
int side_hash_new(enum digest_alg alg, side_hash_also *also, void *arg,
		  struct side_hash **out);
/* The bytes are copied. Waits while the thread is some hundred KiB behind. */
void side_hash_write(struct side_hash *h, const void *data, size_t len);
/* Once: waits for the thread to end, and gives the digest of all that was written. */
void side_hash_finish(struct side_hash *h, struct digest *out);
/* At any time; ends the thread. NULL is fine. */
void side_hash_free(struct side_hash *h);

#endif
