/* SPDX-License-Identifier: MIT */
/*
 * All parts of a mount, built and taken down in order: the one module that knows them all.
 *
 *	mount_open()	the store and the source; no network
 *	mount_load()	image 0: resolved
 *	...		served by m->nodes
 *	mount_close()
 */
#ifndef FS_NODE_MOUNT_H
#define FS_NODE_MOUNT_H

#include <stdbool.h>

#include "fs/image/context.h"
#include "fs/image/images.h"
#include "fs/image/layers.h"
#include "fs/image/status.h"
#include "fs/image/workers.h"
#include "fs/node/nodes.h"

struct err;
struct image_store;
struct log;
struct namespace;
struct options;

struct mount {
	struct context context;
	struct workers workers;
	struct layers layers;
	struct images images;
	struct snapshots snapshots;
	struct namespace *namespace; /* NULL: an image, or a list of them, is mounted */
	struct image_list *list;     /* of layout=store and layout=erofs; else NULL */
	struct image_store *image_store; /* NULL, unless layout=store */
	struct nodes nodes;
};

/*
 * @options, @log and @mountpoint (absolute; NULL: nothing is mounted) are borrowed until
 * mount_close(), which is to be called in any case. 0, or a negative errno and a sentence.
 */
int mount_open(struct mount *m, const struct options *options, struct log *log,
	       const char *mountpoint, struct err *e);
/*
 * As images_load_first(); of a namespace the top is listed: refresh_first(); of a list its
 * images are resolved: image_list_begin().
 */
int mount_load(struct mount *m, struct err *e);
/* Whether all layers of the image are known; a namespace or a list has no such layers. */
bool mount_has_tree(const struct mount *m);
/*
 * As images_load_first_tree(), but with layout=rootfs a broken layer is a failure. While it
 * waits, other threads may serve the mount.
 */
int mount_load_tree(struct mount *m, struct err *e);
void mount_close(struct mount *m);

/* The name of what is mounted, as the user knows it. After mount_load(); borrowed. */
const char *mount_name(const struct mount *m);

#endif
