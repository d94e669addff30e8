/* SPDX-License-Identifier: MIT */
/*
 * Pushing to a repository (distribution-spec, "Push"): blobs and manifests. What is there
 * already is not sent again, and nothing is deleted.
 *
 * @r is of remote_new_writer(). A request that fails for the moment is repeated until
 * remote_deadline(), which each progress moves. Errors, with a sentence that names the host:
 * -EACCES: no right to push there; -ENOTSUP: nobody can push there; -EFBIG: too large for the
 * registry; -ENOSPC: no room for it; -EIO: all else.
 */
#ifndef REGISTRY_REMOTE_UPLOAD_H
#define REGISTRY_REMOTE_UPLOAD_H

#include <stdbool.h>
#include <stddef.h>

struct digest;
struct err;
struct remote;

/* A longer blob is sent in parts of this many bytes, so that a failure costs one part. */
#define UPLOAD_PART (8u << 20)

/*
 * Pushes the @len bytes of @data, whose digest is @d; more than @part bytes are sent in parts,
 * and continued after a failure at the byte that the registry has. 1: sent; 0: the repository
 * has the blob already.
 */
int upload_blob(struct remote *r, const struct digest *d, const void *data, size_t len,
		size_t part, struct err *e);

/* A manifest to push. Plain data, borrowed. */
struct upload_manifest {
	const char *reference; /* its digest, or a tag */
	const char *media_type;
	const void *data;
	size_t len;
	const char *if_match; /* the ETag of what it replaces; NULL: whatever is there */
};

/*
 * *lists_subject: the registry has noted whose referrer the manifest is (OCI-Subject). -ESTALE:
 * something else than @m->if_match is there now.
 */
int upload_manifest(struct remote *r, const struct upload_manifest *m,
		    bool *lists_subject, struct err *e);

/* Does the repository have a blob, or a manifest, of this digest? 1, 0 or an error. */
int upload_has(struct remote *r, const struct digest *d, bool is_manifest, struct err *e);

#endif
