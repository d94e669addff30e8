/* SPDX-License-Identifier: MIT */
/*
 * What oci/ holds beside the image that is mounted: the documents and blobs of the other
 * images of the index, and of indexes in it. Whoever asks for one first waits until all
 * their manifests and configs were there; then the list of what they name stays, for nodes
 * are made of it, and they themselves are read as any blob is. No layer is fetched for it,
 * nor opened.
 *
 * All calls: any thread, the view pinned, unless they say something else.
 */
#ifndef FS_IMAGE_INDEX_BLOBS_H
#define FS_IMAGE_INDEX_BLOBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "fs/image/lazy.h"

struct mount_layer;
struct view;
struct waiter;

/* How its bytes are asked for. */
enum other_kind { OTHER_MANIFEST, OTHER_CONFIG, OTHER_BLOB };

/* Small: there are hundreds of a large index, of each image. */
struct other {
	struct digest digest;
	enum other_kind kind;
	uint64_t size;
	struct mount_layer *layer; /* atomic; NULL: it was not read yet */
};

struct index_blobs {
	struct lazy lazy;
	struct other *list; /* while it is made, of who makes it; in order of digests */
	size_t n_list;
	uint32_t n; /* atomic: of list, once all are known */
};

void index_blobs_init(struct index_blobs *os);
/* No call may be under way. */
void index_blobs_release(struct index_blobs *os);

/* Is all of an index shown, and not one image of it that was asked for? */
bool index_blobs_are_shown(const struct view *v);
/* Makes them known: 0, -EINTR, or why they cannot be had now. Errnos to be seen. */
int index_blobs_need(struct view *v, struct waiter *w);
/* What is read is blob *out of the mount. 0, -ENOMEM, -ENOSPC. */
int index_blobs_blob(struct view *v, uint32_t i, struct mount_layer **out);
/* None, as long as they are not known. */
uint32_t index_blobs_count(const struct view *v);
const struct other *index_blobs_get(const struct view *v, uint32_t i);

#endif
