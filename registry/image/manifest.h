/* SPDX-License-Identifier: MIT */
/*
 * What the documents of an image say: index, manifest and config (image-spec
 * image-index.md, manifest.md, config.md; Docker's v2 schema 2 and manifest list
 * are the same but for the media types). Parsing only: pure, no I/O.
 */
#ifndef REGISTRY_IMAGE_MANIFEST_H
#define REGISTRY_IMAGE_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "registry/image/descriptor.h"

struct err;

/* Descriptors of an index, in its order. */
struct entries {
	struct descriptor *list;
	size_t n;
};

/* An index with more entries is no image's: the largest known have some hundreds. */
#define INDEX_ENTRIES_MAX 10000

/*
 * The entries that may lead to an image: manifests and indexes. Attestations,
 * signatures, artifacts and entries of unknown media type or digest are passed over.
 */
int entries_parse(const void *data, size_t len, struct entries *out, struct err *e);
/* The same without exception but for entries without a digest or size. */
int entries_parse_all(const void *data, size_t len, struct entries *out, struct err *e);
void entries_release(struct entries *en);

struct manifest {
	struct descriptor config;
	struct descriptor *layers; /* base first */
	size_t n_layers;
	struct annotation *annotations;
	size_t n_annotations;
	/* its config, or all its layers, are of no image; then what it is */
	bool is_artifact;
	char *artifact_type;
};

/* -ENOTSUP with a sentence for layers of a form that is not read. */
int manifest_parse(const void *data, size_t len, struct manifest *out, struct err *e);
void manifest_release(struct manifest *m);

struct config {
	struct platform platform; /* os and arch may be empty: not said */
	bool has_created;
	int64_t created; /* seconds since the epoch */
	struct digest *diff_ids;
	size_t n_diff_ids;
};

int config_parse(const void *data, size_t len, struct config *out, struct err *e);
void config_release(struct config *c);

#endif
