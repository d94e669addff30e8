/* SPDX-License-Identifier: MIT */
/*
 * An index file (format.h), mapped and checked as it is used: a block's checksum when the
 * block is first touched, and that the file still has its full length at each use. Only
 * index.c includes this.
 *
 * All calls but init and release: any thread, no lock.
 */
#ifndef TAR_INDEX_INDEX_MAP_H
#define TAR_INDEX_INDEX_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tar/index/format.h"

struct digest;
struct err;

struct index_map {
	const unsigned char *data;
	size_t size;
	/* The last word of the map. It differs from INDEX_END once the file was cut short. */
	const volatile uint32_t *end;
	struct index_head head; /* a copy, so that the checked values cannot change */
	/*
	 * One bit for each block of 64 KiB: its checksum was right. Atomic. Two threads
	 * may check the same block; both find the same.
	 */
	uint64_t *checked;
	bool *damaged; /* atomic; a pointer, because it is set where the map is const */
};

/*
 * Maps @fd, which stays the caller's. -EBADMSG if it is not an index of this version for
 * @blob, or if its size, head or bounds are wrong.
 */
int index_map_init(struct index_map *m, int fd, const struct digest *blob, struct err *e);
/* Accepts a map that is all zero. */
void index_map_release(struct index_map *m);

/* Returns @len checked bytes at @off of a section, or NULL if they are absent or damaged. */
const void *index_map_at(const struct index_map *m, enum index_section section,
			 uint64_t off, uint64_t len);
/* The number of rows of a section. */
uint32_t index_map_rows(const struct index_map *m, enum index_section section);

/* Was damage found since the last call? */
bool index_map_take_damage(const struct index_map *m);
/* Reads and checks every block of the file. 0 or -EBADMSG. */
int index_map_verify(const struct index_map *m);

#endif
