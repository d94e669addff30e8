/* SPDX-License-Identifier: MIT */
/* The state of the mount in numbers: .peelfs/status.json. Any thread. */
#ifndef FS_IMAGE_STATUS_H
#define FS_IMAGE_STATUS_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/types.h>

struct buf;
struct image_source;
struct images;
struct layer_progress;
struct view;

/* Some hundred bytes for each of a thousand layers, with sentences. */
#define STATUS_MAX (4u << 20)

/*
 * Where a layer's index comes from, in a word: "store", "lower" (a lower store), "registry",
 * "disk". @source has the layer; NULL: a registry.
 */
const char *status_from(const struct image_source *source,
			const struct layer_progress *p);
/*
 * Appends the JSON text about @v, which is pinned, or, with NULL, about a whole namespace.
 * 0, -ENOMEM, -E2BIG.
 */
int status_render(struct images *is, const struct view *v, struct buf *out);
/*
 * The kernel opens and caches files by node without asking, so a changing file needs a new
 * node each time: a lookup of its name takes a snapshot, whose size and bytes never change.
 * Only the last few are kept.
 */
#define N_SNAPSHOTS 32

struct snapshot {
	uint32_t number;
	char *text;
	size_t len;
};

struct snapshots {
	pthread_mutex_t lock;
	struct snapshot ring[N_SNAPSHOTS]; /* under lock */
	uint32_t n;			   /* under lock: taken so far */
};

void snapshots_init(struct snapshots *ss);
void snapshots_release(struct snapshots *ss);

/* Copies from a snapshot; its length in *len if not NULL. -ESTALE: it is gone. */
ssize_t snapshots_read(struct snapshots *ss, uint32_t number, void *buf, size_t size,
		       uint64_t off, size_t *len);
/* Takes a snapshot of the text, of @v or, if that is NULL, of all; its number, from 1. 0, -ENOMEM,
 * -E2BIG. */
int status_snapshot(struct snapshots *ss, struct images *is, struct view *v,
		    uint32_t *number);

/*
 * The text by ioctl(2) on the top directory of the mount, in pieces: a mount with
 * layout=rootfs has no such file, and looking for one would load the layers.
 */
#define STATUS_PIECE_MAX 8192

struct status_piece {
	uint64_t off;	 /* in: where in the text */
	uint32_t number; /* in: of the snapshot, 0: take one; out: its number */
	uint32_t len;	 /* out: bytes in data; 0: the end */
	char data[STATUS_PIECE_MAX];
};

#define STATUS_IOCTL _IOWR('P', 1, struct status_piece)

/* Fills in the piece of @v or, if that is NULL, of all. 0, -ESTALE, -ENOMEM, -E2BIG. */
int status_read_piece(struct snapshots *ss, struct images *is, struct view *v,
		      struct status_piece *p);

#endif
