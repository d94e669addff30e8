/* SPDX-License-Identifier: MIT */
/* What `peelctl setup` prints and writes, as text. */
#ifndef FS_CTL_SETUP_TEXT_H
#define FS_CTL_SETUP_TEXT_H

#include <stdbool.h>

struct buf;

enum setup_engine { SETUP_PODMAN, SETUP_CONTAINERD };

/* All paths are absolute. */
struct setup {
	enum setup_engine engine;
	bool is_user;	    /* of one user's podman, not of the machine's */
	const char *peelfs; /* the program */
	const char *podman; /* the same, if is_user */
	const char *store;  /* the mount point */
	const char *images; /* the list of images */
	/* A user's cache: systemd starts the mount without the environment that may name it. */
	const char *cache;
	const char *options; /* more of them for the mount, as "a,b=c"; "" */
};

/* Each appends the text of a file. 0, -ENOMEM, -E2BIG. */

/* The unit of systemd that mounts the images. */
int setup_write_unit(const struct setup *s, struct buf *out);
/* A whole storage.conf, for a machine that has none. */
int setup_write_storage_conf(const struct setup *s, struct buf *out);
/* The configuration of containerd, version 3. */
int setup_write_containerd(const struct setup *s, struct buf *out);

#endif
