/* SPDX-License-Identifier: MIT */
/*
 * How sources are spelt. A source is what a user mounts: the image of a reference
 * ("nginx:1.27", "docker://nginx"), an image on disk ("oci:DIR[:TAG]", ...), or a whole
 * registry or part of one ("ghcr.io/", "docker.io/library/"). A new form is one row of the
 * table in source_name.c and a backend.
 */
#ifndef REGISTRY_SOURCE_NAME_H
#define REGISTRY_SOURCE_NAME_H

#include <stdbool.h>
#include <stddef.h>

struct backend;
struct client;
struct err;

struct source_kind {
	const char *prefix; /* "oci:"; "" for a reference */
	bool is_local;	    /* on disk */
	bool has_tag;	    /* may end in ":TAG" */
	/*
	 * Opens the backend of @source, of which @text is what follows the prefix. See
	 * image_source_open(). NULL: peelfs does not read sources of this kind.
	 */
	int (*open)(const char *source, const char *text, struct client *c,
		    struct backend **out, struct err *e);
};

/* The kind of @source, by its prefix alone, never NULL. *text, if wanted: what follows it. */
const struct source_kind *source_name_kind(const char *source, const char **text);

/* -EINVAL or -ENOTSUP with a sentence that says how to write it, if @source is no image. */
int source_name_check(const char *source, struct err *e);

/* Puts the prefix of @source before the sentence, if that begins with the path in it. */
void source_name_restore(const char *source, struct err *e);
/*
 * Adds to the sentence about a reference that failed. If an image on disk has this name: how
 * it is written as a source, as in "; oci:layout?". If it is a directory of a mount: that its
 * files are there. If it is a host and a port alone: how the registry is browsed.
 */
void source_name_suggest(const char *source, struct err *e);

/* Does @source name a registry or a part of one, that is: does it end in a slash? */
bool source_name_is_namespace(const char *source);
/* Is the image of this name (struct image) on disk? */
bool source_name_is_local(const char *name);
/*
 * The tag in an image's name: "1.27" of "host:5000/name:1.27@sha256:...", "tag" of
 * "oci:dir:tag" and "docker-archive:file:name:tag". *len is its length. NULL: it has none.
 */
const char *source_name_tag(const char *name, size_t *len);

#endif
