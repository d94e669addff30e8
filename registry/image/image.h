/* SPDX-License-Identifier: MIT */
/*
 * One resolved image: its documents, byte for byte and verified, and its layers. Plain
 * data, read-only once made.
 */
#ifndef REGISTRY_IMAGE_IMAGE_H
#define REGISTRY_IMAGE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/digest.h"
#include "registry/image/descriptor.h"
#include "registry/image/platform.h"
#include "registry/image/trace.h"

struct err;

/* More layers than any tool builds: in practice the limit is 127. */
#define IMAGE_LAYERS_MAX 1000

struct image {
	/*
	 * An artifact (a chart, a module, a signature) has no filesystem. Its layers are
	 * blobs of any kind, most of them with a title among their annotations; its config
	 * has any form; it has no diff IDs and no platform.
	 */
	bool is_artifact;
	char *artifact_type; /* or NULL */
	/* the source in full: "docker.io/library/nginx:1.27", "oci:dir:tag" */
	char *name;
	/* the names that the archive of `docker save` gives it, one a line; else NULL */
	char *tags;
	bool has_index;
	struct buf index; /* the image index that the reference named, if it did */
	struct buf manifest;
	struct buf config;
	struct descriptor index_descriptor; /* if has_index: digest, size, media type */
	struct descriptor manifest_descriptor;
	struct descriptor config_descriptor;
	struct platform platform; /* of the config */
	bool has_created;
	/* seconds since the epoch, from the config or an artifact's manifest */
	int64_t created;
	struct descriptor *layers; /* base first */
	struct digest *diff_ids;   /* n_layers digests of uncompressed tars */
	size_t n_layers;
	struct annotation *annotations; /* of the manifest */
	size_t n_annotations;
	/*
	 * The other images of the index and of the indexes inside it, in their order. No two
	 * have both the same digest and the same platform_format() with '-'.
	 */
	struct descriptor *platforms;
	size_t n_platforms;
	/*
	 * The artifact that the layers' `beside` are from; DIGEST_NONE: none was found. Nothing
	 * in the image vouches for it.
	 */
	struct digest beside;
	/*
	 * What programs read of the layers first, as the registry says, set as `beside`. A hint:
	 * empty if none was found.
	 */
	struct trace trace;
	char *warning; /* why others are missing, a sentence; or NULL */
};

/* Accepts NULL. */
void image_free(struct image *img);
/* An annotation of the manifest, borrowed, or NULL. */
const char *image_annotation(const struct image *img, const char *key);
/* For callers that need a filesystem: -ENOTSUP with a sentence for an artifact, else 0. */
int image_must_have_files(const struct image *img, struct err *e);

#endif
