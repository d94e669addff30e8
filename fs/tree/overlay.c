/* SPDX-License-Identifier: MIT */
#include "fs/tree/overlay.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "fs/tree/match.h"

#define MARKER	   ".wh."
#define MARKER_LEN 4

const char *const overlay_opaque_xattrs[OVERLAY_N_XATTRS] = {"trusted.overlay.opaque",
							     "user.overlay.opaque"};

static bool is_marker(const char *name, size_t len)
{
	return len >= MARKER_LEN && memcmp(name, MARKER, MARKER_LEN) == 0;
}

bool overlay_is_whiteout(const struct entry *e)
{
	return (e->flags & ENTRY_WHITEOUT) && is_marker(e->name, e->name_len);
}

bool overlay_is_device(const struct index *ix, const struct entry *e)
{
	struct entry inode = *e;

	if (e->flags & (ENTRY_WHITEOUT | ENTRY_FOREIGN))
		return false;
	if (e->inode != e->id && index_entry(ix, e->inode, &inode) < 0)
		return false;
	return S_ISCHR(inode.mode) || S_ISBLK(inode.mode);
}

/* No name of a file: "", ".", "..", markers of aufs (".wh..wh.plnk"), one that is too long. */
static bool is_name(const char *name, size_t len)
{
	if (match_hides(name, len))
		return false;
	return !(name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.')));
}

int overlay_name(const struct index *ix, const struct entry *dir, const struct entry *e,
		 const char **name, size_t *len)
{
	struct entry other;
	int rc;

	*name = e->name;
	*len = e->name_len;
	if (!is_marker(e->name, e->name_len))
		return is_name(e->name, e->name_len);
	*name += MARKER_LEN;
	*len -= MARKER_LEN;
	if (!is_name(*name, *len))
		return 0;
	rc = index_find(ix, dir, *name, *len, &other);
	return rc == -ENOENT ? 1 : rc;
}

static int find_whiteout(const struct index *ix, const struct entry *dir,
			 const char *name, size_t len, struct entry *out)
{
	char marker[MARKER_LEN + NAME_MAX];

	if (!(dir->flags & ENTRY_WHITEOUTS) || !is_name(name, len))
		return -ENOENT;
	memcpy(marker, MARKER, MARKER_LEN);
	memcpy(marker + MARKER_LEN, name, len);
	return index_find(ix, dir, marker, MARKER_LEN + len, out);
}

int overlay_find(const struct index *ix, const struct entry *dir, const char *name,
		 size_t len, struct entry *out)
{
	int rc;

	if (!is_name(name, len))
		return -ENOENT;
	rc = index_find(ix, dir, name, len, out);
	return rc == -ENOENT ? find_whiteout(ix, dir, name, len, out) : rc;
}

int overlay_is_opaque(const struct index *ix, const struct entry *dir)
{
	struct entry parent, marker;
	int rc;

	if (dir->flags & ENTRY_OPAQUE)
		return 1;
	if (dir->id == 0)
		return 0;
	rc = index_entry(ix, dir->parent, &parent);
	if (rc == 0)
		rc = find_whiteout(ix, &parent, dir->name, dir->name_len, &marker);
	if (rc == -ENOENT)
		return 0;
	return rc < 0 ? rc : 1;
}
