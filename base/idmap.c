/* SPDX-License-Identifier: MIT */
/* Open addressing, at most half full. */
#include "base/idmap.h"

#include <errno.h>
#include <stdlib.h>

#define ROWS_FIRST 64

void idmap_release(struct idmap *m)
{
	free(m->rows);
	*m = (struct idmap){.rows = NULL};
}

/* The row of an id, or the free one where it belongs. */
static struct idmap_row *find_row(const struct idmap *m, uint64_t id)
{
	/* Ids differ in their low bits and in some high ones: all have a part in the top. */
	size_t i = (size_t)((id * UINT64_C(0x9e3779b97f4a7c15)) >> 32);

	while (m->rows[i &= m->n_rows - 1].value && m->rows[i].id != id)
		i++;
	return &m->rows[i];
}

uint64_t *idmap_find(const struct idmap *m, uint64_t id)
{
	struct idmap_row *row = m->n_rows ? find_row(m, id) : NULL;

	return row && row->value ? &row->value : NULL;
}

static int idmap_grow(struct idmap *m)
{
	struct idmap more = {.n_rows = m->n_rows ? 2 * m->n_rows : ROWS_FIRST, .n = m->n};
	size_t i;

	more.rows = calloc(more.n_rows, sizeof(*more.rows));
	if (!more.rows)
		return -ENOMEM;
	for (i = 0; i < m->n_rows; i++) {
		if (m->rows[i].value)
			*find_row(&more, m->rows[i].id) = m->rows[i];
	}
	free(m->rows);
	*m = more;
	return 0;
}

int idmap_add(struct idmap *m, uint64_t id, uint64_t value)
{
	if (2 * (m->n + 1) > m->n_rows && idmap_grow(m) < 0)
		return -ENOMEM;
	*find_row(m, id) = (struct idmap_row){.id = id, .value = value};
	m->n++;
	return 0;
}
