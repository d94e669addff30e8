/* SPDX-License-Identifier: MIT */
/*
 * The root file system of a sandbox, put together by its first process, which has its own
 * user, mount and pid namespaces:
 *
 *	a tmpfs		hides /tmp of this mount namespace, and is gone with it
 *	  image/	the image, from a peelfs outside
 *	  rw/		a directory of the user, or of the tmpfs: upper/ and work/
 *	  root/		overlayfs: upper/ above image/rootfs/
 *	  files/	what devices.h makes
 *
 *	stage_init()
 *	stage_open()		opens what the tmpfs may hide
 *	stage_mount_image()
 *	stage_load()		a document of the image
 *	stage_mount_root()	stage_root() is it
 *	stage_add_volumes()
 *	stage_enter()		the root becomes that of the process
 *	stage_close()
 *
 * Calls give 0, or a negative errno and a sentence.
 */
#ifndef FS_RUN_STAGE_H
#define FS_RUN_STAGE_H

#include "fs/run/spec.h"

struct buf;
struct err;

/* Most of -v: each takes a descriptor. */
#define STAGE_VOLUMES_MAX 64

struct stage {
	const struct run_spec *spec;
	int base, root, files;
	int kept; /* a detached copy of the user's directory, or -1 */
	int lock; /* held as long as the user's directory is used, or -1 */
	int volumes[STAGE_VOLUMES_MAX];
	size_t n_volumes;
};

void stage_init(struct stage *s, const struct run_spec *spec);
int stage_open(struct stage *s, struct err *e);
/*
 * Sends the descriptor of a new FUSE mount to @peelfs, a socket. What reads from the mount
 * waits until it is served.
 */
int stage_mount_image(struct stage *s, int peelfs, struct err *e);
/*
 * Appends the document @name, such as "config.json". -ENOTCONN without a sentence if peelfs
 * has ended: it has said why.
 */
int stage_load(struct stage *s, const char *name, struct buf *out, struct err *e);
int stage_mount_root(struct stage *s, struct err *e);
/* Open on the root, and on files/; borrowed until stage_close(). */
int stage_root(const struct stage *s);
int stage_files(const struct stage *s);
int stage_add_volumes(struct stage *s, struct err *e);
/* Nothing outside of the root can be reached by name any more. */
int stage_enter(struct stage *s, struct err *e);
/* In any case after stage_init(). Keeps the lock. */
void stage_close(struct stage *s);

#endif
