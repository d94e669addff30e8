/* SPDX-License-Identifier: MIT */
/*
 * What oci/ holds beside the image that is mounted: the documents and blobs of the other
 * images of the index, and of indexes in it. Whoever asks for one first waits until all
 * their manifests and configs are there; then they stay, for nodes are made of them. No
 * layer is fetched for it, nor opened.
 *
 * All calls: any thread, the view pinned, unless they say something else.
 */
#ifndef FS_OTHERS_H
#define FS_OTHERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fs/hold.h"
#include "registry/image.h"

struct mount_layer;
struct view;
struct waiter;

/* A blob. Its descriptor is that of a document, or of the layer. */
struct other {
	const struct descriptor *descriptor;
	const struct buf *document; /* NULL: it is to be fetched */
	struct mount_layer *layer;
	bool is_own; /* while they are made: the mounted image has it, too */
};

/* An index that another refers to. */
struct inner_index {
	struct descriptor descriptor; /* digest and size */
	struct buf document;
};

struct others {
	struct hold hold;
	struct image **images; /* while they are made, of who makes them */
	size_t n_images;
	struct inner_index *indexes; /* the same */
	size_t n_indexes;
	struct other *list; /* the same; in order of digests */
	size_t n_list;
	uint32_t n; /* atomic: of list, once all are known */
};

void others_init(struct others *os);
/* No call may be under way. */
void others_release(struct others *os);

/* Is all of an index shown, and not one image of it that was asked for? */
bool others_are_shown(const struct view *v);
/* Makes them known: 0, -EINTR, or why they cannot be had now. Errnos to be seen. */
int others_need(struct view *v, struct waiter *w);
/* None, as long as they are not known. */
uint32_t others_count(const struct view *v);
const struct other *others_get(const struct view *v, uint32_t i);

#endif
