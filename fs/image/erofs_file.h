/* SPDX-License-Identifier: MIT */
#ifndef FS_IMAGE_EROFS_FILE_H
#define FS_IMAGE_EROFS_FILE_H

#include <stdint.h>

struct context;
struct digest;
struct erofs_image;
struct erofs_tree;
struct err;

/* What the file is made of. Borrowed. */
struct erofs_from {
	const struct erofs_tree *tree;
	const char *file; /* the two are a name for messages: "FILE of WHOSE" */
	const char *whose;
	const struct digest *digest; /* the UUID is made of it */
	uint64_t n_entries;	     /* of all layers: how much room it takes */
};

/*
 * A tree as an EROFS image, in unnamed files of the store, or in memory if that has no room.
 * What the tree has and EROFS cannot express is counted in the log. context_cancel() ends it
 * with -EINTR. -EFBIG: the tree is too large for EROFS; -EBADMSG: an index is damaged; other
 * negative errnos; all with a sentence.
 */
int erofs_file_make(struct context *c, const struct erofs_from *from,
		    struct erofs_image **out, struct err *e);

#endif
