/* SPDX-License-Identifier: MIT */
/*
 * What the store holds of a layer, gone through before somebody reads it: index and spans.
 * What is damaged is taken out, as every reader would have found, and will be had again.
 */
#ifndef TAR_AUDIT_H
#define TAR_AUDIT_H

#include <stdint.h>

struct digest;
struct store;

struct audit {
	uint64_t bytes; /* decoded, that are right */
	unsigned bad;	/* spans, or the index */
	/* Told of each that is damaged: a sentence, lent. */
	void (*on_bad)(void *arg, const char *sentence);
	void *arg;
};

/* Adds to @a. 0, also where there is damage or nothing; -ENOMEM, -EMFILE, -ENFILE. */
int audit_layer(struct audit *a, struct store *s, const struct digest *layer);

#endif
