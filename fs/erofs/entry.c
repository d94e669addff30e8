/* SPDX-License-Identifier: MIT */
#include "fs/erofs/entry.h"

#include <sys/sysmacros.h>

#include "fs/erofs/tree.h"
#include "tar/index/index.h"

#define HOLE UINT64_MAX

void erofs_entry_inode(const struct entry *e, struct erofs_inode *out)
{
	*out = (struct erofs_inode){
		.mode = e->mode,
		.uid = e->uid,
		.gid = e->gid,
		.nlink = e->nlink,
		.mtime = e->mtime,
		.mtime_ns = e->mtime_ns,
		.rdev = (uint32_t)makedev(e->rdev_major, e->rdev_minor),
		.size = e->size,
		.has_holes = e->flags & ENTRY_SPARSE,
		.link = e->link,
		.link_len = e->link_len,
	};
}

int erofs_entry_data(const struct index *ix, const struct entry *e, uint64_t size,
		     uint64_t off, uint64_t *at)
{
	uint64_t len, data;
	int rc;

	for (; off < size; off += len) {
		len = size - off;
		rc = index_extent(ix, e, off, &len, &data);
		if (rc < 0)
			return rc;
		if (data != HOLE)
			break;
	}
	*at = off;
	return 0;
}
