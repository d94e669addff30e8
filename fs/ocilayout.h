/* SPDX-License-Identifier: MIT */
/*
 * oci/: the image as an OCI image layout (image-spec image-layout.md): its manifest, config
 * and layers, byte for byte, so that every digest is what it is in the registry.
 *
 * The blob of a layer is fetched when it is first read, as a whole, into an unnamed file,
 * and no byte of it is shown before all of them had the layer's digest. It is another copy
 * than the decoded one in the store, and lasts as long as the layer is open.
 */
#ifndef FS_OCILAYOUT_H
#define FS_OCILAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/digest.h"

struct blob;
struct buf;
struct history;
struct mount;
struct mount_layer;
struct view;

/* Has the image a blob with such a digest? Then there is a folder for them. */
bool ocilayout_uses(const struct view *v, enum digest_alg alg);
/* Append the texts of oci-layout and index.json. 0, -ENOMEM, -E2BIG. */
int ocilayout_render(const struct view *v, const struct history *h, uint32_t none,
		     struct buf *out);
int ocilayout_index(const struct view *v, const struct history *h, uint32_t none,
		    struct buf *out);

/* NULL is fine. No read may be under way. */
void blob_free(struct blob *b);
/*
 * Reads from the blob of a layer, which is pinned; waits for all of it the first time.
 * Errnos to be seen; -EINTR when *@cancelled (may be NULL) becomes true.
 */
ssize_t blob_read(struct mount *m, struct mount_layer *l, void *buf, size_t size,
		  uint64_t off, const bool *cancelled);

#endif
