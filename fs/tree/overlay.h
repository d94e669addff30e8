/* SPDX-License-Identifier: MIT */
/*
 * The tree of one layer in the form of overlayfs, as engines unpack it: a whiteout ".wh.NAME"
 * is a character device 0:0 called NAME, an opaque directory has an xattr, and no name begins
 * with ".wh.". Pure; any thread.
 */
#ifndef FS_TREE_OVERLAY_H
#define FS_TREE_OVERLAY_H

#include <stdbool.h>
#include <stddef.h>

#include "tar/index/index.h"

/* The value of both xattrs that say that a directory is opaque. */
#define OVERLAY_OPAQUE "y"
/* The names of those xattrs: of mounts by root, and of mounts with the option userxattr. */
#define OVERLAY_N_XATTRS 2
extern const char *const overlay_opaque_xattrs[OVERLAY_N_XATTRS];

/* Whether an entry is shown as a character device 0:0 because of its name. */
bool overlay_is_whiteout(const struct entry *e);
/* Whether an entry is a device that is not a whiteout: no user namespace may have one. */
bool overlay_is_device(const struct index *ix, const struct entry *e);

/*
 * The name under which @dir shows its child @e, borrowed from @e. 1; 0: it is not shown,
 * because it is a marker or because the layer has another entry of that name; -EBADMSG.
 */
int overlay_name(const struct index *ix, const struct entry *dir, const struct entry *e,
		 const char **name, size_t *len);
/* The child that @dir shows under a name. 0, -ENOENT, -EBADMSG. */
int overlay_find(const struct index *ix, const struct entry *dir, const char *name,
		 size_t len, struct entry *out);
/*
 * Whether a directory is opaque: by its own marker, or because a whiteout of its name is
 * beside it, which hides the directories of that name in lower layers. 1, 0, -EBADMSG.
 */
int overlay_is_opaque(const struct index *ix, const struct entry *dir);

#endif
