/* SPDX-License-Identifier: MIT */
/*
 * A stream of a whole blob that begins with the bytes that an interrupted pass kept. The
 * blob is asked for the rest, when these are read.
 */
#ifndef TAR_RESUMED_H
#define TAR_RESUMED_H

#include <stdbool.h>
#include <stdint.h>

struct err;
struct partial;
struct source;
struct stream;

/*
 * @partial is borrowed, and may be NULL. If it cannot be read, it is given up, and the blob is
 * asked from there. *kept, which is 0, counts the bytes that were read from it; atomic.
 */
int resumed_stream(struct source *blob, struct partial *partial, uint64_t *kept,
		   struct stream **out, struct err *e);

/* Is the errno one about bytes that arrived, and not one of getting them? */
bool resumed_blames(int rc);
/* Closes @partial, which may be NULL, after a pass with this result: bad bytes are not kept. */
void resumed_end(struct partial *partial, int rc);

#endif
