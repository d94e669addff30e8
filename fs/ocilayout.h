/* SPDX-License-Identifier: MIT */
/*
 * oci/: the image as an OCI image layout (image-spec image-layout.md): its manifest, config
 * and layers, byte for byte, so that every digest is what it is in the registry.
 *
 * The blob of a layer is fetched when it is first read, as a whole, into an unnamed file,
 * and no byte of it is shown before all of them had the layer's digest. It is another copy
 * than the decoded one in the store, and lasts as long as the mount.
 */
#ifndef FS_OCILAYOUT_H
#define FS_OCILAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct blobs;
struct buf;
struct history;
struct mount;

/* Blobs of other digests than SHA-256 would lie elsewhere: such an image has no oci/. */
bool ocilayout_fits(const struct mount *m);
/* Append the texts of oci-layout and index.json. 0, -ENOMEM, -E2BIG. */
int ocilayout_render(const struct mount *m, const struct history *h, uint32_t none,
		     struct buf *out);
int ocilayout_index(const struct mount *m, const struct history *h, uint32_t none,
		    struct buf *out);

/* One for each slot of the mount. NULL: out of memory. */
struct blobs *blobs_new(size_t n);
/* NULL is fine. No read may be under way. */
void blobs_free(struct blobs *b);
/*
 * Reads from the blob of a slot's layer; waits for all of it the first time. Errnos to be
 * seen; -EINTR when *@cancelled (may be NULL) becomes true.
 */
ssize_t blobs_read(struct mount *m, uint32_t slot, void *buf, size_t size, uint64_t off,
		   const bool *cancelled);

#endif
