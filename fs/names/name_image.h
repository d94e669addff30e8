/* SPDX-License-Identifier: MIT */
/* The images of a namespace: by repository and digest. Any thread. */
#ifndef FS_NAMES_NAME_IMAGE_H
#define FS_NAMES_NAME_IMAGE_H

#include <stdbool.h>

struct image_source;
struct item;
struct name;
struct namespace;

/*
 * Adds an image that exists to its repository @dir, and shows the repository. @source has
 * its blobs and must outlive the mount. 0, -ENOMEM, -ENOSPC, -EBADMSG for a bad digest.
 */
int name_image_add(struct namespace *ns, struct name *dir, const char *digest,
		   struct image_source *source);
/* The top directory of an image that was added; false if it was not. */
bool name_image_find(struct namespace *ns, struct name *dir, const char *digest,
		     struct item *out);

#endif
