/* SPDX-License-Identifier: MIT */
/*
 * The command line of peelfs, also as mount(8) writes it: operands may come before
 * options, and the options of mount(8) itself are taken and passed over. Called by the
 * name mount.peelfs, -f means what it means to mount(8).
 */
#ifndef FS_IMAGE_OPTIONS_H
#define FS_IMAGE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "registry/image/platform.h"

struct err;

/* OPTIONS_FAKE: what mount.peelfs does for `mount -f`: everything but the mount. */
enum options_action { OPTIONS_MOUNT, OPTIONS_FAKE, OPTIONS_HELP, OPTIONS_VERSION };

enum layout { LAYOUT_IMAGE, LAYOUT_ROOTFS };

/* What of the layers is kept on disk: indexes and decoded bytes, indexes alone, or nothing. */
enum cache { CACHE_DATA, CACHE_INDEX, CACHE_NONE };

/* Tables that are kept beside layers are used: unless a digest was asked for, always, never. */
enum tables { TABLES_AUTO, TABLES_REGISTRY, TABLES_NONE };

struct options {
	enum options_action action;
	char *source;
	char *mountpoint; /* as given */
	bool foreground;
	bool debug; /* libfuse's own trace, in the foreground */
	bool verbose;

	bool allow_other;
	bool default_permissions;
	int64_t uid; /* who owns everything; -1: who the image says */
	int64_t gid;
	struct buf kernel; /* ",nosuid,nodev...": what goes down to libfuse, escaped */

	char *cache_dir;     /* NULL: the user's own */
	uint64_t cache_size; /* bytes; 0: the default */
	enum cache cache;
	enum layout layout;
	enum tables tables;
	bool ino_unique;	  /* st_ino tells places, not contents */
	struct platform platform; /* this machine's, unless */
	bool wants_platform;	  /* one was asked for */
	char *authfile;
	char *cacert;
	bool insecure;
	bool offline;
	unsigned connections; /* 0: the default */
	unsigned timeout;
	unsigned tag_ttl; /* seconds */
};

/*
 * 0, -EINVAL with a sentence for what cannot be understood, -ENOMEM. @is_root: whether
 * `dev` and `suid` may be asked for. Release @out in any case.
 */
int options_parse(struct options *out, int argc, char **argv, bool is_root,
		  struct err *e);
void options_release(struct options *o);

/* Appends @text as a value in a comma list of options. */
int options_append_escaped(struct buf *b, const char *text);

/* What -h prints. */
const char *options_help(void);

#endif
