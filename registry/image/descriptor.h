/* SPDX-License-Identifier: MIT */
/*
 * Descriptors: how documents name each other and blobs (image-spec descriptor.md).
 * Plain data.
 */
#ifndef REGISTRY_IMAGE_DESCRIPTOR_H
#define REGISTRY_IMAGE_DESCRIPTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "registry/image/platform.h"

struct err;
struct json;

/* The largest document that is read. Registries and other clients have the same limit. */
#define DOCUMENT_MAX (4u << 20)

struct annotation {
	char *key;
	char *value;
};

struct descriptor {
	struct digest digest;
	uint64_t size; /* bytes of the blob, as stored */
	char *media_type;
	char *artifact_type; /* or NULL */
	struct annotation *annotations;
	size_t n_annotations;
	char **urls; /* of foreign layers */
	size_t n_urls;
	char *data; /* the embedded content, @size bytes, unverified; or NULL */
	bool has_platform;
	struct platform platform; /* of an entry of an index */
	/*
	 * Of a layer, set by image_source_find_beside(): digest and size of an index of it that
	 * the registry keeps: one that peelfs has pushed, or else a zTOC (SOCI). The digest's
	 * algorithm is DIGEST_NONE if there is none.
	 */
	struct digest beside;
	uint64_t beside_size;
	bool is_pushed;
};

/* One descriptor of a list, lent for the call. A negative errno ends the list. */
typedef int descriptor_fn(void *arg, const struct descriptor *d);

/*
 * @what names the descriptor in an error. -EBADMSG: no digest or no size. -ENOTSUP: the
 * digest's algorithm is unknown. Other members may be missing; invalid ones are ignored.
 */
int descriptor_parse(const struct json *j, struct descriptor *out, const char *what,
		     struct err *e);
/* A deep copy. -ENOMEM. */
int descriptor_copy(const struct descriptor *d, struct descriptor *out);
void descriptor_release(struct descriptor *d);

/* By the media type: is it an index; is it any document (an index, manifest or config)? */
bool descriptor_is_index(const struct descriptor *d);
bool descriptor_is_document(const struct descriptor *d);
/* Borrowed. NULL if there is none. */
const char *descriptor_annotation(const struct descriptor *d, const char *key);

/* 0 or -ENOMEM. The caller owns *list in both cases. */
int annotations_parse(const struct json *j, struct annotation **list, size_t *count);
void annotations_free(struct annotation *list, size_t n);
/* The value of @key, borrowed, or NULL. */
const char *annotations_find(const struct annotation *list, size_t n, const char *key);

/* The platform object @j, normalised; empty if @j is NULL or has no such members. */
void platform_from_json(const struct json *j, struct platform *out);

#endif
