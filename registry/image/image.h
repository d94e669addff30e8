/* SPDX-License-Identifier: MIT */
/*
 * One image, resolved: the documents that describe it, byte for byte and
 * verified, and its layers. Plain data, read-only once made.
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

struct err;

/* More layers than any tool builds: in practice the limit is 127. */
#define IMAGE_LAYERS_MAX 1000

struct image {
	/*
	 * No filesystem but a chart, a module, a signature: artifact_type says what. Then
	 * layers are its blobs, mostly with a title in their annotations; config may be of any
	 * form; there are no diff IDs and no platform.
	 */
	bool is_artifact;
	char *artifact_type; /* or NULL */
	/* the reference as resolved: "docker.io/library/nginx:1.27", "oci:dir:tag" */
	char *name;
	bool has_index;
	struct buf index; /* if the reference led to an image index */
	struct buf manifest;
	struct buf config;
	struct descriptor index_descriptor; /* if has_index: digest, size, media type */
	struct descriptor manifest_descriptor;
	struct descriptor config_descriptor;
	struct platform platform; /* of the config */
	bool has_created;
	int64_t created; /* by the config, or an artifact's manifest; since the epoch */
	struct descriptor *layers; /* base first */
	struct digest *diff_ids;   /* n_layers of them: of the uncompressed tar */
	size_t n_layers;
	struct annotation *annotations; /* of the manifest */
	size_t n_annotations;
	/* the other images of the index; each once, of one platform_format() with '-' */
	struct descriptor *platforms;
	size_t n_platforms;
};

/* NULL is fine. */
void image_free(struct image *img);
/* Of the manifest; NULL when there is none. Borrowed. */
const char *image_annotation(const struct image *img, const char *key);
/* For who can show nothing but files: -ENOTSUP with a sentence for an artifact, else 0. */
int image_must_have_files(const struct image *img, struct err *e);

#endif
