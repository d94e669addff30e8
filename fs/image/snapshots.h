/* SPDX-License-Identifier: MIT */
/*
 * Texts of .peelfs/status.json. Since the kernel opens files without asking, it cannot be
 * told to read this one anew; so each lookup of its name takes a snapshot and gives a new
 * node, whose size and bytes then stay. Only the last few are kept. Any thread.
 */
#ifndef FS_IMAGE_SNAPSHOTS_H
#define FS_IMAGE_SNAPSHOTS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct mount;
struct view;

/* Of an image, or of the namespace if @v is NULL. Its number; -ENOMEM, -E2BIG. */
int snapshot_take(struct mount *m, struct view *v, uint32_t *number);
/* Copies from a snapshot; its length in *len if not NULL. -ESTALE: it is gone. */
ssize_t snapshot_read(struct mount *m, uint32_t number, void *buf, size_t size,
		      uint64_t off, size_t *len);

#endif
