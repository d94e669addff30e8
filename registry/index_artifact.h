/* SPDX-License-Identifier: MIT */
/*
 * Indexes of an image's layers as one artifact in the image's own repository: an OCI 1.1
 * manifest whose subject is the image's manifest, with one blob for each layer. An annotation
 * of the blob has the digest of the layer. There are no times in it, so the same indexes have
 * the same digest.
 *
 * An annotation of the manifest has all that is not the same for every such artifact of the
 * image. Lists of referrers repeat it, so the manifest can be written again from the list,
 * which saves the round trip to fetch it; its digest tells whether it is the same.
 *
 * A trace (image/trace.h) is another artifact of the same kind, without blobs: all of it is in
 * the annotation.
 */
#ifndef REGISTRY_INDEX_ARTIFACT_H
#define REGISTRY_INDEX_ARTIFACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"

struct backend;
struct buf;
struct err;
struct image;
struct trace;

#define INDEX_ARTIFACT_TYPE "application/vnd.peelfs.index.v1+json"
/* of its config, which is empty */
#define INDEX_ARTIFACT_CONFIG "application/vnd.oci.empty.v1+json"
#define INDEX_ARTIFACT_BLOB   "application/vnd.peelfs.layer-index.v1+zstd"
#define INDEX_ARTIFACT_LAYER  "org.peelfs.layer.digest"
/* "0=HEX:SIZE 2=HEX:SIZE": for each layer, from 0, the SHA-256 and size of its index */
#define INDEX_ARTIFACT_BLOBS "org.peelfs.blobs"

#define TRACE_ARTIFACT_TYPE   "application/vnd.peelfs.trace.v1"
#define TRACE_ARTIFACT_RANGES "org.peelfs.trace" /* trace_parse() */

enum beside_kind {
	BESIDE_INDEXES,
	BESIDE_TRACE,
};

/* The artifact type, and the key of the annotation that has what differs. */
const char *index_artifact_type(enum beside_kind kind);
const char *index_artifact_key(enum beside_kind kind);

/* The index of one layer, to be pushed. Borrowed. */
struct pushed_index {
	const struct digest *layer;
	const void *data;
	size_t len;
};

struct push_report {
	struct digest artifact; /* of the manifest */
	uint64_t size;		/* of the manifest and all blobs */
	uint64_t sent;		/* bytes that the registry did not have yet */
};

/*
 * Appends to @out the manifest of the artifact for @img whose annotation has this @value, as
 * the calls below write it. -EBADMSG: it is malformed; -ENOMEM, -E2BIG.
 */
int index_artifact_write(const struct image *img, enum beside_kind kind,
			 const char *value, struct buf *out);

/*
 * Pushes the artifact to the repository of @b, and makes it a referrer of @img. What is there
 * already is not sent. With @dry_run only the report is made, without a request. -ENOTSUP:
 * @b is not in a registry, or that cannot be pushed to; others: remote/upload.h.
 */
int index_artifact_push(struct backend *b, const struct image *img,
			const struct pushed_index *list, size_t n, bool dry_run,
			struct push_report *out, struct err *e);
/* The same for a trace of @img. */
int trace_artifact_push(struct backend *b, const struct image *img, const struct trace *t,
			bool dry_run, struct push_report *out, struct err *e);

#endif
