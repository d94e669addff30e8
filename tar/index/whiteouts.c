/* SPDX-License-Identifier: MIT */
#include "tar/index/whiteouts.h"

#include <string.h>
#include <sys/stat.h>

#include "tar/index/index.h"
#include "tar/index/draft.h"

bool whiteout_is_marker(const char *name, size_t len)
{
	return len >= INDEX_MARKER_LEN &&
	       memcmp(name, INDEX_MARKER, INDEX_MARKER_LEN) == 0;
}

/*
 * A directory that is in this layer only because whiteouts are below it is not there if it is
 * hidden itself. Children have higher numbers than their parents.
 */
static void kill_hidden(struct draft *dr)
{
	struct index_row *rows = dr->rows;
	uint32_t i, id;

	/* nlink, which is counted later, is used for "something is in it". */
	for (i = dr->n; --i > 0;) {
		if (!(rows[i].flags & (NODE_DEAD | ENTRY_WHITEOUT)) &&
		    (!(rows[i].flags & ENTRY_IMPLIED) || rows[i].nlink))
			rows[rows[i].parent].nlink = 1;
	}
	for (i = 1; i < dr->n; i++) {
		const char *name = dr->strings.data + rows[i].name;

		if ((rows[i].flags & NODE_DEAD) ||
		    !whiteout_is_marker(name, rows[i].name_len))
			continue;
		id = draft_find(dr, rows[i].parent, name + INDEX_MARKER_LEN,
				rows[i].name_len - INDEX_MARKER_LEN);
		if (id != NODE_NONE && (rows[id].flags & ENTRY_IMPLIED) &&
		    !rows[id].nlink)
			draft_kill(dr, id);
	}
}

void whiteouts_mark(struct draft *dr)
{
	struct index_row *rows = dr->rows;
	uint32_t i, n = 0;

	for (i = 1; i < dr->n; i++) {
		const char *name = dr->strings.data + rows[i].name;
		const struct index_row *inode = &rows[rows[i].inode];
		struct index_row *dir = &rows[rows[i].parent];
		bool marker = whiteout_is_marker(name, rows[i].name_len);

		if ((rows[i].flags & NODE_DEAD) ||
		    (!marker &&
		     (!S_ISCHR(inode->mode) || inode->a != 0 || inode->b != 0)))
			continue;
		rows[i].flags |= ENTRY_WHITEOUT;
		dir->flags |= marker && rows[i].name_len == 12 &&
					      memcmp(name, ".wh..wh..opq", 12) == 0
				      ? ENTRY_OPAQUE
				      : ENTRY_WHITEOUTS;
		/* What a marker links to does not matter. */
		if (marker && (rows[i].flags & ENTRY_FOREIGN)) {
			rows[i].flags &= (uint16_t)~ENTRY_FOREIGN;
			rows[i].mode = S_IFREG;
			rows[i].a = rows[i].b = 0;
		}
		n += marker;
	}
	if (n > 0)
		kill_hidden(dr);
}
