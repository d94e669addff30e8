/* SPDX-License-Identifier: MIT */
/*
 * Layers as EROFS images, each under its diff ID. Who looks for a file by diff ID alone, as
 * containerd does, takes what it finds for a layer of any image. So a file is made only of a
 * layer whose diff ID was computed from its bytes; what a config says names the layers that
 * are tried.
 *
 * All calls: any thread.
 */
#ifndef FS_IMAGE_LAYER_FILES_H
#define FS_IMAGE_LAYER_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct image;
struct layer_list;
struct layers;

/*
 * Makes the files of all layers of @img, which are open and not broken, and pins them, until
 * layer_files_unpin(): l->file_image of each. This may read whole layers: diff_id_of(). 0;
 * layer_files_never() for an image that cannot be shown so; all with a sentence: -ENOTSUP,
 * only the table of contents of a layer is known, or it has links to other layers; -EBADMSG,
 * a diff ID is not that of the config, or an index is damaged; -EFBIG, too large for EROFS;
 * other errnos, which may pass.
 */
int layer_files_pin(const struct layer_list *list, const struct image *img,
		    struct err *e);
void layer_files_unpin(const struct layer_list *list);
/* True for errnos that the same layers give the next time. */
bool layer_files_never(int code);

/* Closes files idle for @seconds, and the oldest of more than @max. True if any. */
bool layer_files_close_unused(struct layers *ls, uint32_t seconds, size_t max);

#endif
