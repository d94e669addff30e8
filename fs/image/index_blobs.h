/* SPDX-License-Identifier: MIT */
/*
 * The documents and blobs of an image index beyond the mounted image: of the other images
 * in it, and of indexes inside it. oci/ shows them, so that it has the whole index. The
 * list needs all manifests and configs, but no layer is fetched or opened for it. It is
 * made once and stays, because node ids encode positions in it.
 *
 * All calls but init, release and fetch: any thread.
 */
#ifndef FS_IMAGE_INDEX_BLOBS_H
#define FS_IMAGE_INDEX_BLOBS_H

#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "fs/image/lazy.h"

struct err;
struct image;
struct image_source;
struct layers;
struct mount_layer;

/* Which requests fetch it. */
enum index_blob_kind { INDEX_BLOB_MANIFEST, INDEX_BLOB_CONFIG, INDEX_BLOB_LAYER };

/* Small: a large index has hundreds of images. */
struct index_blob {
	struct digest digest;
	enum index_blob_kind kind;
	uint64_t size;
	struct mount_layer *file; /* atomic; NULL until it is first read */
};

struct index_blobs {
	struct lazy lazy; /* present once the list is known; never freed when idle */
	struct index_blob *list; /* ordered by digest, each digest once */
	size_t n_list;
	uint32_t n; /* atomic: of list, once it is complete; else 0 */
};

void index_blobs_init(struct index_blobs *bs);
/* No call may be under way. */
void index_blobs_release(struct index_blobs *bs);

/*
 * Makes the list from the index that @img has: one thread, once. @source resolves its
 * entries and may be closed afterwards; @blobs is that of layers_find(). Entries that are
 * gone or unreadable are logged.
 */
int index_blobs_fetch(struct index_blobs *bs, const struct image *img,
		      struct image_source *source, struct image_source *blobs,
		      struct layers *ls, struct err *e);

/* How many of the list are known. */
uint32_t index_blobs_count(const struct index_blobs *bs);
/* Blob @i as a file for raw_blob_read(), whose bytes are in @blobs. 0, -ENOMEM, -ENOSPC. */
int index_blobs_file(struct index_blobs *bs, uint32_t i, struct layers *ls,
		     struct image_source *blobs, struct mount_layer **out);

#endif
