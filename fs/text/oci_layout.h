/* SPDX-License-Identifier: MIT */
/*
 * oci/: the image as an OCI image layout (image-spec image-layout.md): its manifest, config
 * and layers, byte for byte (copies.h), so that every digest is what it is in the registry.
 */
#ifndef FS_TEXT_OCI_LAYOUT_H
#define FS_TEXT_OCI_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"

struct buf;
struct history;
struct view;

/* Has the image a blob with such a digest? Then there is a folder for them. */
bool oci_layout_uses(const struct view *v, enum digest_alg alg);
/* Append the texts of oci-layout and index.json. 0, -ENOMEM, -E2BIG. */
int oci_layout_render(const struct view *v, const struct history *h, uint32_t none,
		      struct buf *out);
int oci_layout_index(const struct view *v, const struct history *h, uint32_t none,
		     struct buf *out);

#endif
