/* SPDX-License-Identifier: MIT */
/*
 * Where an image comes from: a registry's repository, or a layout directory or archive
 * on disk. The door of registry/: fs/ needs no other header of it but client.h, image.h
 * and platform.h.
 *
 * All calls are safe in any thread.
 */
#ifndef REGISTRY_IMAGE_SOURCE_H
#define REGISTRY_IMAGE_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "registry/image/image.h"
#include "registry/image/reference.h"

struct client;
struct err;
struct source;

struct image_source;

/*
 * Understands @source (DESIGN: "nginx:1.27", "docker://...", "oci:DIR[:TAG]", ...)
 * and makes ready; asks no network yet. @c is borrowed for life. -EINVAL with a
 * sentence for what is no source, -ENOTSUP for a form not read.
 */
int image_source_open(const char *source, struct client *c, struct image_source **out,
		      struct err *e);
/* NULL is fine. All images, sources and streams of it must be gone. */
void image_source_close(struct image_source *o);
/* On disk, where no network is between. */
bool image_source_is_local(const struct image_source *o);

/*
 * Reference -> index or manifest -> the manifest for @want -> config and layers.
 * Every document is checked against its digest. What is no image but an artifact is said by
 * image->is_artifact. What the store has is not asked for, so
 * a digest whose documents are all there asks nothing. The reference itself is asked
 * once: a tag that moves later is not seen.
 */
int image_source_resolve(struct image_source *o, const struct platform *want,
			 struct image **out, struct err *e);
/*
 * Another image of the same repository by its manifest: one of image->platforms, a referrer,
 * or the same again. The index is not asked for anew, and is the image's if it is in it.
 */
int image_source_resolve_entry(struct image_source *o, const struct descriptor *entry,
			       struct image **out, struct err *e);

/*
 * A document of the same repository by its descriptor, with its media type, verified, from the
 * store if it is there. @out is made by this.
 */
int image_source_document(struct image_source *o, const struct descriptor *d,
			  struct buf *out, struct err *e);

/*
 * What refers to the manifest @of: signatures, SBOMs, indexes, attestations; those of the
 * image index itself (BuildKit's) first, those that cosign keeps under tags last.
 * @type, if not NULL, is the artifact type wanted.
 * The descriptors are the registry's word; image_source_resolve_entry() gets and verifies
 * what they name. What came before a failure was told.
 */
int image_source_referrers(struct image_source *o, const struct digest *of,
			   const char *type, descriptor_fn *fn, void *arg, struct err *e);

/*
 * Fills in the table of each layer of @img, which is of this origin, that has one kept
 * beside it: SOCI's index, by the manifest's word or, if there is none, the registry's.
 * Mostly there is none. Without @may_ask only what the store has noted; what it has not is
 * asked for, for some seconds, as an image does well without. An error is for -v.
 */
int image_source_find_tocs(struct image_source *o, struct image *img, bool may_ask,
			   struct err *e);

/* Was the image asked for by a digest, so that nothing else should have a say in it? */
bool image_source_is_pinned(const struct image_source *o);

/*
 * The bytes of a blob, unverified: the caller hashes what it reads. Makes no
 * request yet. The origin outlives the source.
 */
int image_source_blob(struct image_source *o, const struct descriptor *d,
		      struct source **out, struct err *e);

/*
 * Which digest the reference has now, asked anew each time (HEAD; GET where that does
 * not tell): for a reference with a digest that digest, and nothing is asked. The word
 * of the registry: it is verified when the digest is opened and resolved. When the
 * registry cannot be had, or we are refused, and the store knows what the tag was last,
 * that, with a warning. -ENOENT: no such tag.
 */
int image_source_tag_digest(struct image_source *o, struct digest *out, struct err *e);

/*
 * The tags of the reference's repository, page by page as they come, in the registry's
 * order, which is none to rely on; whatever is no valid tag is passed over. -ENOENT: no
 * such repository; -EACCES: refused; -ENOTSUP: not a repository, or tags are not
 * listed there; -E2BIG: more than LIST_NAMES_MAX. What came before a failure was told.
 */
int image_source_tags(struct image_source *o, name_fn *fn, void *arg, struct err *e);

/*
 * Is there such a repository? One small request. 0; -ENOENT: no; -EACCES: the registry
 * refuses to tell us; -EIO: it cannot be had. docker.io refuses for what is not there,
 * and so do not tell apart: that is -ENOENT, too, if our user and password were taken.
 */
int image_source_probe(struct image_source *o, struct err *e);

/*
 * The repositories of @host ("localhost:5000"), as image_source_tags(). -ENOTSUP: it does not
 * offer that, to us at least.
 */
int image_source_catalog(struct client *c, const char *host, name_fn *fn, void *arg,
			 struct err *e);

#endif
