/* SPDX-License-Identifier: MIT */
/*
 * Media types of images, and the kinds of documents they stand for (image-spec
 * media-types.md). Docker's v2 schema 2 and manifest list differ from OCI's documents in
 * their media types only.
 */
#ifndef REGISTRY_IMAGE_DOCUMENT_KIND_H
#define REGISTRY_IMAGE_DOCUMENT_KIND_H

#include <stddef.h>

struct err;

#define MEDIA_OCI_INDEX	      "application/vnd.oci.image.index.v1+json"
#define MEDIA_OCI_MANIFEST    "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_DOCKER_LIST     "application/vnd.docker.distribution.manifest.list.v2+json"
#define MEDIA_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define MEDIA_OCI_CONFIG      "application/vnd.oci.image.config.v1+json"
#define MEDIA_DOCKER_CONFIG   "application/vnd.docker.container.image.v1+json"
#define MEDIA_OCI_LAYER	      "application/vnd.oci.image.layer.v1.tar"
#define MEDIA_DOCKER_LAYER    "application/vnd.docker.image.rootfs.diff.tar"

enum document_kind {
	DOCUMENT_UNKNOWN,
	DOCUMENT_INDEX,
	DOCUMENT_MANIFEST,
	DOCUMENT_SCHEMA1, /* Docker's first format, no longer supported */
};

/* By the media type alone; parameters after ';' are ignored. NULL is unknown. */
enum document_kind document_kind_of(const char *media_type);

/*
 * The kind of a document: by its own "mediaType" member, else by @media_type, else by the
 * members it has. @media_type may be NULL or uninformative (some registries send
 * text/plain). *media gets the media type that holds, a static text, "" if unknown.
 * -EBADMSG: not JSON, or the document contradicts @media_type or itself.
 */
int document_kind(const void *data, size_t len, const char *media_type,
		  enum document_kind *kind, const char **media, struct err *e);

#endif
