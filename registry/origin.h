/* SPDX-License-Identifier: MIT */
/*
 * Where an image comes from: a registry, or a layout directory or archive on
 * disk. The door of registry/: fs/ needs no other header of it but image.h and
 * platform.h.
 *
 * All calls are safe in any thread.
 */
#ifndef REGISTRY_ORIGIN_H
#define REGISTRY_ORIGIN_H

#include <stdbool.h>
#include <stdint.h>

#include "registry/image.h"

struct err;
struct source;
struct store;

struct origin_options {
	const char *authfile; /* NULL: the usual places */
	const char *cacert;   /* NULL: the system's */
	bool insecure;	      /* plain http allowed, certificates not checked */
	bool offline;	      /* ask nothing, use the store alone */
	unsigned connections; /* at most so many a host; 0: the default */
	/* seconds that one wait may last with all retries; 0: the default */
	unsigned timeout;
};

/* What was asked of the network since the origin was opened. */
struct origin_stats {
	uint64_t requests;
	uint64_t bytes;	 /* of bodies */
	uint64_t errors; /* answers and transfers that failed, retried or not */
	uint64_t retries;
};

struct origin;

/*
 * Understands @source (DESIGN: "nginx:1.27", "docker://...", "oci:DIR[:TAG]", ...)
 * and makes ready; asks no network yet. @store is borrowed and may be NULL.
 * -EINVAL with a sentence for what is no source, -ENOTSUP for a form not read.
 */
int origin_open(const char *source, const struct origin_options *options,
		struct store *store, struct origin **out, struct err *e);
/* NULL is fine. All images, sources and streams of it must be gone. */
void origin_close(struct origin *o);

/*
 * Reference -> index or manifest -> the manifest for @want -> config and layers.
 * Every document is checked against its digest.
 */
int origin_resolve(struct origin *o, const struct platform *want, struct image **out,
		   struct err *e);

/*
 * The bytes of a blob, unverified: the caller hashes what it reads. Makes no
 * request yet. The origin outlives the source.
 */
int origin_blob(struct origin *o, const struct descriptor *d, struct source **out,
		struct err *e);

void origin_stats(struct origin *o, struct origin_stats *out);

/* What went well enough, but a person should know; called from any thread. */
typedef void origin_warn_fn(void *arg, const char *sentence);
void origin_on_warning(struct origin *o, origin_warn_fn *fn, void *arg);

#endif
