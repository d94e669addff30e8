/* SPDX-License-Identifier: MIT */
/*
 * Texts of .peelfs/status.json. The kernel opens and caches files by node without asking,
 * so a changing file needs a new node each time: a lookup of its name takes a snapshot,
 * whose size and bytes never change. Only the last few are kept. Any thread.
 */
#ifndef FS_IMAGE_SNAPSHOTS_H
#define FS_IMAGE_SNAPSHOTS_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct buf;

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

/* Takes the text out of @text. The snapshot's number, from 1. */
uint32_t snapshots_add(struct snapshots *ss, struct buf *text);
/* Copies from a snapshot; its length in *len if not NULL. -ESTALE: it is gone. */
ssize_t snapshots_read(struct snapshots *ss, uint32_t number, void *buf, size_t size,
		       uint64_t off, size_t *len);

#endif
