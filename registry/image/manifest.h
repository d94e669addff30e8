/* SPDX-License-Identifier: MIT */
/*
 * Parsers of an image's documents: index, manifest and config (image-spec image-index.md,
 * manifest.md, config.md). Docker's v2 schema 2 and manifest list differ from them only in
 * media types. No I/O.
 *
 * All parsers return -EBADMSG for malformed documents, -E2BIG for lists over a ceiling and
 * -ENOMEM, each with a sentence, and write *out only on success. The release functions
 * accept zeroed structs.
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

/* A ceiling: the largest indexes known have some hundred entries. */
#define IMAGE_INDEX_MAX 10000

/*
 * The entries of an index that may be images: manifests and nested indexes. Attestations,
 * signatures, artifacts and entries of an unknown media type or digest are left out.
 */
int entries_parse(const void *data, size_t len, struct entries *out, struct err *e);
/* All entries, except those without a valid digest or size. */
int entries_parse_all(const void *data, size_t len, struct entries *out, struct err *e);
void entries_release(struct entries *en);

struct manifest {
	struct descriptor config;
	struct descriptor *layers; /* base first */
	size_t n_layers;
	struct annotation *annotations;
	size_t n_annotations;
	/* the config, or every layer, has a media type that is not of an image */
	bool is_artifact;
	char *artifact_type; /* if is_artifact */
};

/* -ENOTSUP: encrypted layers, or some layers of an image have an unknown media type. */
int manifest_parse(const void *data, size_t len, struct manifest *out, struct err *e);
void manifest_release(struct manifest *m);

struct config {
	struct platform platform; /* os and arch may be empty */
	bool has_created;
	int64_t created; /* seconds since the epoch */
	struct digest *diff_ids;
	size_t n_diff_ids;
};

int config_parse(const void *data, size_t len, struct config *out, struct err *e);
void config_release(struct config *c);

#endif
