/* SPDX-License-Identifier: MIT */
/*
 * The two documents of oci/, the image as an OCI image layout (image-spec
 * image-layout.md). Its blobs are the manifest, config and layers byte for byte, so every
 * digest is the same as in the registry.
 */
#ifndef FS_TEXT_OCI_LAYOUT_H
#define FS_TEXT_OCI_LAYOUT_H

#include <stdbool.h>

#include "base/digest.h"

struct buf;
struct image;
struct image_facts;

/* Whether the image has a blob with such a digest: then blobs/ has a directory for them. */
bool oci_layout_uses(const struct image *img, bool has_index_blobs, enum digest_alg alg);
/* Append the texts of oci-layout and index.json. 0, -ENOMEM, -E2BIG. */
int oci_layout_render(const struct image_facts *f, struct buf *out);
int oci_layout_index(const struct image_facts *f, struct buf *out);

#endif
