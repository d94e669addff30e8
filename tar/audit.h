/* SPDX-License-Identifier: MIT */
/*
 * Verifies what the store has of a layer, its index and its spans, before anyone reads
 * it. Damaged parts are removed, as a reader would do, and will be fetched again.
 */
#ifndef TAR_AUDIT_H
#define TAR_AUDIT_H

#include <stdint.h>

struct digest;
struct store;

struct audit {
	uint64_t bytes; /* decoded bytes that are correct */
	unsigned bad;	/* number of damaged spans and indexes */
	/* Called for each damaged part, with a sentence that is valid during the call. */
	void (*on_bad)(void *arg, const char *sentence);
	void *arg;
};

/*
 * Adds to the counters of @a. Returns 0 even if there is damage or nothing at all;
 * -ENOMEM, -EMFILE or -ENFILE.
 */
int audit_layer(struct audit *a, struct store *s, const struct digest *layer);

#endif
