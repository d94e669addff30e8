/* SPDX-License-Identifier: MIT */
/* Open addressing, at most half full. Ids are numbers of ours, which nobody can make collide. */
#include "fs/erofs/inode_map.h"

#include <errno.h>
#include <stdlib.h>

#define ROOM_FIRST 64

void inode_map_release(struct inode_map *m)
{
	free(m->rows);
}

/* The row of an id, or the empty one where it belongs. */
static struct inode_place *find_row(const struct inode_map *m, uint64_t id)
{
	size_t mask = m->room - 1;
	size_t i = (size_t)((id * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & mask;

	while (m->rows[i].nid && m->rows[i].id != id)
		i = (i + 1) & mask;
	return &m->rows[i];
}

struct inode_place *inode_map_find(const struct inode_map *m, uint64_t id)
{
	struct inode_place *row = m->room ? find_row(m, id) : NULL;

	return row && row->nid ? row : NULL;
}

static int map_grow(struct inode_map *m)
{
	struct inode_map more = {.n = m->n, .room = m->room ? 2 * m->room : ROOM_FIRST};
	size_t i;

	more.rows = calloc(more.room, sizeof(*more.rows));
	if (!more.rows)
		return -ENOMEM;
	for (i = 0; i < m->room; i++) {
		if (m->rows[i].nid)
			*find_row(&more, m->rows[i].id) = m->rows[i];
	}
	free(m->rows);
	*m = more;
	return 0;
}

int inode_map_add(struct inode_map *m, uint64_t id, uint32_t nid)
{
	int rc = 2 * (m->n + 1) > m->room ? map_grow(m) : 0;

	if (rc < 0)
		return rc;
	*find_row(m, id) = (struct inode_place){.id = id, .nid = nid};
	m->n++;
	return 0;
}
