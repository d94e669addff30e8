/* SPDX-License-Identifier: MIT */
/*
 * The command line of peelfs, also in the form that mount(8) writes: operands may come
 * before options, and options meant for mount(8) itself are accepted and ignored. In a
 * program called mount.peelfs, -f has the meaning it has in mount(8).
 */
#ifndef FS_OPTIONS_OPTIONS_H
#define FS_OPTIONS_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "registry/image/platform.h"
#include "registry/remote/client.h"

struct err;

/* OPTIONS_FAKE: mount.peelfs was called for `mount -f`: do all but the mount. */
enum options_action { OPTIONS_MOUNT, OPTIONS_FAKE, OPTIONS_HELP, OPTIONS_VERSION };

/* These are in the order of the values in the table of options.c. */

/*
 * What the mount point shows: an image's tree, its root file system alone, or many images
 * for container engines: as a store of podman, or as EROFS files of layers.
 */
enum layout { LAYOUT_IMAGE, LAYOUT_ROOTFS, LAYOUT_STORE, LAYOUT_EROFS };

/* What the store keeps of a layer: index and decoded bytes, the index alone, or nothing. */
enum cache { CACHE_DATA, CACHE_INDEX, CACHE_NONE };

/*
 * Whether indexes that a registry keeps beside layers are used (pushed ones, SOCI's).
 * TOCS_AUTO: unless the image was asked for by its digest.
 */
enum tocs { TOCS_AUTO, TOCS_REGISTRY, TOCS_NONE };

/* What st_ino of a file is made of: its content, or its place. */
enum ino { INO_CONTENT, INO_UNIQUE };

/* What a list of an image's top has: LIST_ONCE: no directory whose files are elsewhere, too. */
enum list { LIST_ALL, LIST_ONCE };

struct options {
	enum options_action action;
	char *source;
	char *mountpoint; /* as given */
	bool foreground;
	bool debug; /* libfuse's own trace, in the foreground */
	bool verbose;

	bool allow_other;
	bool default_permissions;
	int64_t uid; /* owner of everything; -1: as in the image */
	int64_t gid;
	struct buf kernel; /* ",nosuid,nodev...": for libfuse, escaped */

	char *cache_dir;     /* NULL: the user's own */
	bool copies_lower;   /* into the store, what is taken from the next; no option */
	char *lower_cache;   /* directories, for options_next_dir(); NULL: none */
	uint64_t cache_size; /* bytes; 0: the default */
	enum cache cache;
	/* LAYOUT_IMAGE with erofs: what lies below the EROFS has the documents for peelctl. */
	enum layout layout;
	char *images; /* the file that lists the images of the last two; or NULL */
	bool erofs;   /* the kernel's EROFS shows the root file system */
	enum tocs tocs;
	enum ino ino;
	bool ino32; /* st_ino of at most 32 bits */
	enum list list;
	bool wait;		  /* for all layers */
	struct platform platform; /* this machine's if !wants_platform */
	bool wants_platform;
	unsigned tag_ttl;	      /* seconds */
	struct client_options client; /* handed to client_new() as it is */
};

/*
 * 0, -EINVAL with a sentence if the command line is wrong, -ENOMEM. @is_root: whether
 * `dev` and `suid` are granted. Call options_release() in any case.
 */
int options_parse(struct options *out, int argc, char **argv, bool is_root,
		  struct err *e);
void options_release(struct options *o);

/*
 * The next directory of a list with ":" between them, where "\:" is a colon and "\\" a
 * backslash: *list moves behind it. 1, then the caller frees *dir; 0 at the end; -ENOMEM.
 */
int options_next_dir(const char **list, char **dir);

/* Whether the mount point has the root file system alone. */
static inline bool options_shows_rootfs(const struct options *o)
{
	return o->erofs || o->layout == LAYOUT_ROOTFS;
}

/* Appends @text as a value in a comma list of options. */
int options_append_escaped(struct buf *b, const char *text);

/* Prints what -h prints. Each option of -o has a line "    NAME[=VALUE]  text". */
void options_print_help(FILE *out);

#endif
