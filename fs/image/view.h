/* SPDX-License-Identifier: MIT */
/*
 * An image as the mount shows it. A view stays as long as the mount; what is loaded for it
 * may come and go: images.h. It is loaded in steps, each when something needs it:
 *
 *	image	manifest and config, the documents and texts: a few KiB
 *	layers	which layers it has, with the indexes that a registry keeps of them
 *	tree	all layers opened and merged: some hundred KiB, up to a thousand merged
 *		directories, and three file descriptors for each layer
 *	erofs	rootfs.erofs, but for its contents: some 100 bytes for each entry, on disk
 *	files	the same of each layer, if all have the diff IDs that the config names
 *
 * What a step has made stays until the image is unloaded.
 */
#ifndef FS_IMAGE_VIEW_H
#define FS_IMAGE_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "fs/image/index_blobs.h"
#include "fs/image/layer_list.h"
#include "fs/image/lazy.h"
#include "fs/image/referrers.h"
#include "fs/image/texts.h"
#include "registry/image/image.h"

struct context;
struct erofs_image;
struct err;
struct image_source;
struct images;
struct item;
struct layers;
struct merge;
struct mount_layer;
struct node;

/* Whether the layers of an image can be shown as EROFS images. */
enum view_files {
	VIEW_FILES_UNKNOWN,
	VIEW_FILES_MADE, /* and pinned */
	VIEW_FILES_NONE, /* one cannot, so none is: the log has why */
};

struct view {
	struct lazy lazy;
	uint32_t number;
	struct images *images;
	struct context *context;
	struct layers *mount_layers; /* of the mount */

	/* Which image: what image_source_resolve() finds, or the entry of its index. */
	struct image_source *image_source; /* has the blobs; borrowed */
	char *source; /* a reference to resolve it by; NULL: image_source resolves it */
	bool is_entry;
	bool is_referrer; /* then its layers are shown as blobs */
	struct descriptor entry;
	/* What is known without loading it: */
	struct digest
		digest;	 /* for the inode of its top; unused at the top of the mount */
	int64_t created; /* the time of its top */
	uint64_t around; /* the node of the directory that has it; 0: the mount's top */
	char *path;	 /* below the mount point: "", or "/platforms/linux-arm64" */
	uint32_t *
		platforms; /* numbers of image->platforms, 0 if it has none yet; atomic */
	struct referrers referrers;
	struct index_blobs index_blobs;

	/* While it is pinned: */
	struct image *image;
	struct layer_list blobs; /* the layers as oci/ and files/ show them */
	struct texts texts;
	bool is_stored; /* the store has an index of every layer */

	/* While it is pinned, after view_need_layers() of images.h: */
	struct lazy layers_step;
	struct layer_list layers; /* of an artifact: those that are packed in its blobs */

	/* While it is pinned, after view_need_tree(); atomic: they are known. */
	bool has_tree;
	struct lazy tree_step;
	bool has_pins; /* of the layers */
	struct merge
		*merge; /* NULL if a layer is broken, and of an artifact: no rootfs/ */
	struct layer_totals totals;

	/* While it is pinned, after view_need_erofs(); atomic. */
	struct lazy erofs_step;
	struct erofs_image *erofs;

	/* While it is pinned, after view_need_files(); atomic. */
	struct lazy files_step;
	enum view_files files;
	char *files_why; /* of VIEW_FILES_NONE; NULL: no memory */
};

/*
 * Whether an image is for the platform of -o platform=, unless that was not given: -ENOENT and
 * a sentence. An image that was chosen from an index always is.
 */
int view_check_platform(const struct context *c, const struct image *img, struct err *e);

/* Unloaded. */
void view_free(struct view *v);

/*
 * The steps, in their order; images.h calls each once, from one thread. A negative errno and
 * a sentence. Undo them with view_unload(), also after a failure.
 */
int view_load(struct view *v, struct err *e);
int view_find_layers(struct view *v, struct err *e);
/*
 * Layers that are broken are logged and leave the merge NULL. After a failure it may be
 * called again. @fail_fast: as layers_pin().
 */
int view_load_tree(struct view *v, bool fail_fast, struct err *e);
/* The tree is loaded, and no layer is broken. */
int view_make_erofs(struct view *v, struct err *e);
/* The tree is loaded. 0 also for VIEW_FILES_NONE. */
int view_make_files(struct view *v, struct err *e);
void view_unload(struct view *v);

/* Whether view_load_tree() has succeeded. Pinned. */
static inline bool view_has_tree(const struct view *v)
{
	return __atomic_load_n(&v->has_tree, __ATOMIC_ACQUIRE);
}

/* The merged tree; NULL if it is not loaded or a layer is broken. Pinned. */
static inline struct merge *view_merge(const struct view *v)
{
	return view_has_tree(v) ? v->merge : NULL;
}

/* rootfs.erofs; NULL before view_make_erofs(). Pinned. */
static inline const struct erofs_image *view_erofs(const struct view *v)
{
	return __atomic_load_n(&v->erofs, __ATOMIC_ACQUIRE);
}

static inline enum view_files view_files(const struct view *v)
{
	return __atomic_load_n(&v->files, __ATOMIC_ACQUIRE);
}

/* The number of images in platforms/, of those in the index. */
size_t view_n_platforms(const struct view *v);
/* Whether oci/ has the whole index. Pinned. */
bool view_has_index_blobs(const struct view *v);
/* Fetch the list, which is then never fetched again; failures as they are. Pinned. */
int view_fetch_referrers(struct view *v, struct err *e);
int view_fetch_index_blobs(struct view *v, struct err *e);

/* Attributes of the directories and documents that the mount adds to an image. */

/*
 * st_ino of a row (node.h) of the image: made of the image's digest, of its place in the
 * mount, which its texts tell, of the row and, with @has_parameter, of the parameter. The
 * image must be pinned unless it is inside a directory (view->around).
 */
uint64_t view_item_ino(const struct view *v, const struct node *row, bool has_parameter);
/*
 * st_ino of the root of the merged tree or of a layer: made of the image's digest and the row,
 * because what it holds is the same wherever the image is shown; with -o ino=unique as
 * view_item_ino(). Pinned.
 */
uint64_t view_root_ino(const struct view *v, const struct node *row);
void view_item(const struct view *v, uint64_t node, uint64_t ino, int64_t time,
	       uint32_t mode, size_t size, struct item *out);
/*
 * The top directory of an image that is inside another directory. It is known without
 * loading the image, which need not be pinned.
 */
void view_item_top(const struct view *v, struct item *out);

#endif
