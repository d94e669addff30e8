/* SPDX-License-Identifier: MIT */
/*
 * Image sources: a repository in a registry, or a layout directory or archive on disk. This
 * is the door of registry/. Code in fs/ needs only this header, source_name.h (how
 * sources are spelt), remote/client.h (what all sources share) and image/ (plain data).
 *
 * Any thread may call any function.
 */
#ifndef REGISTRY_IMAGE_SOURCE_H
#define REGISTRY_IMAGE_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "registry/image/image.h"
#include "registry/image/reference.h"
#include "registry/index_artifact.h"

struct client;
struct err;
struct source;

struct image_source;

/*
 * Prepares @source ("nginx:1.27", "docker://...", "oci:DIR[:TAG]", ...; see source_name.h) and
 * makes no request. @c is borrowed for the life of the image source. -EINVAL: not an image
 * source; -ENOTSUP: a form that peelfs does not read; for sources on disk also the errors of
 * open().
 */
int image_source_open(const char *source, struct client *c, struct image_source **out,
		      struct err *e);
/* Accepts NULL. Images may outlive it, but blob sources and their streams may not. */
void image_source_close(struct image_source *s);
/* Is it on disk, so that reads cause no network traffic? */
bool image_source_is_local(const struct image_source *s);
/* Does the reference have a digest, so that nothing else may influence what is shown? */
bool image_source_is_pinned(const struct image_source *s);

/*
 * Resolves the reference: index or manifest, then the manifest for @want, then its config
 * and layers. Every document is verified. Documents in the store are not requested, so a
 * digest whose documents are all there causes no request. The reference itself is resolved
 * once: later calls do not notice that a tag moved. An artifact is an image with is_artifact
 * set. What the policy or the user's key does not admit (trust/trust.h) is refused, and
 * nothing of it is given. -ENOENT: no such image, or none for @want; -EACCES: refused, by the
 * registry or for lack of trust; -EIO: the registry cannot be reached; -EBADMSG: a malformed
 * document or a wrong digest; -ENOTSUP: an unsupported form; -E2BIG: over a ceiling.
 */
int image_source_resolve(struct image_source *s, const struct platform *want,
			 struct image **out, struct err *e);
/*
 * Resolves another manifest of the same repository: one of image->platforms, a referrer, or
 * the first one again. The index is not read anew; the image keeps it if the index lists it.
 */
int image_source_resolve_entry(struct image_source *s, const struct descriptor *entry,
			       struct image **out, struct err *e);

/* Must images of this source be signed? */
bool image_source_needs_signature(const struct image_source *s);

/*
 * Reads and verifies a document of the same repository. @d has its media type. The
 * store is asked first. Initializes @out; the caller releases it after success.
 */
int image_source_document(struct image_source *s, const struct descriptor *d,
			  struct buf *out, struct err *e);

/*
 * Opens a blob as a source, without a request yet. The bytes are unverified: the caller
 * hashes what it reads. The image source outlives the blob.
 */
int image_source_blob(struct image_source *s, const struct descriptor *d,
		      struct source **out, struct err *e);

/*
 * Lists the referrers of the manifest @of (signatures, SBOMs, indexes, attestations): first
 * those in the image index itself or in an index inside it (BuildKit's), last those that cosign
 * keeps under tags. With @type only those of that artifact type. The descriptors are
 * unverified; image_source_resolve_entry() verifies what they name. On an error @fn has
 * already got the referrers found before.
 */
int image_source_referrers(struct image_source *s, const struct digest *of,
			   const char *type, descriptor_fn *fn, void *arg, struct err *e);

/*
 * Sets `beside` of those layers of @img, an image of this source, of which the registry keeps
 * an index: one that peelfs has pushed, else SOCI's zTOC. The image manifest's annotation
 * names SOCI's, else both kinds are referrers of the image. Most images have none. Without
 * @may_ask only the store is asked; with it the registry too, for some seconds at most,
 * because an image works without them. Also sets img->trace, if the same answer names one.
 * Where images must be signed, an artifact that is not signed, too, is left out, with -EACCES.
 * An error is informative.
 */
int image_source_find_beside(struct image_source *s, struct image *img, bool may_ask,
			     struct err *e);

/*
 * Pushes indexes of layers of @img to the repository, as an artifact that
 * image_source_find_beside() finds (index_artifact.h).
 */
int image_source_push_indexes(struct image_source *s, const struct image *img,
			      const struct pushed_index *list, size_t n, bool dry_run,
			      struct push_report *out, struct err *e);

/* The same for a trace of @img. */
int image_source_push_trace(struct image_source *s, const struct image *img,
			    const struct trace *t, bool dry_run, struct push_report *out,
			    struct err *e);

/*
 * The digest that the reference has now. A reference with a digest has that digest, without a
 * request; a tag causes a request each time (HEAD, or GET if that gives no digest). The
 * result is unverified until an image of that digest is resolved. If the registry is
 * unreachable or refuses, the result is the last digest that the store knows, and the client
 * reports a warning. 0; 1: the registry was unreachable, and this is what the store knows;
 * -ENOENT: no such tag.
 */
int image_source_tag_digest(struct image_source *s, struct digest *out, struct err *e);

/*
 * Lists the tags of the repository, page by page as they arrive, in the registry's order,
 * which is unspecified. Invalid tags are left out. -ENOENT: no such repository; -EACCES:
 * refused; -ENOTSUP: not in a registry, or the registry lists no tags; -E2BIG: more than
 * PAGING_NAMES_MAX. On an error @fn has already got the names before.
 */
int image_source_tags(struct image_source *s, name_fn *fn, void *arg, struct err *e);

/*
 * Does the repository exist? One small request. 0: yes; -ENOENT: no; -EACCES: refused; -EIO:
 * unreachable. docker.io also refuses for missing repositories. If it accepted our
 * credentials, that is -ENOENT.
 */
int image_source_probe(struct image_source *s, struct err *e);

/*
 * Lists the repositories of @host ("localhost:5000"), as image_source_tags(). -ENOTSUP: the
 * registry does not list them, at least not for us.
 */
int image_source_catalog(struct client *c, const char *host, name_fn *fn, void *arg,
			 struct err *e);

#endif
