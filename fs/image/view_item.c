/* SPDX-License-Identifier: MIT */
#include "fs/image/view_item.h"

#include <string.h>

#include "fs/image/context.h"
#include "fs/image/item.h"
#include "fs/image/view.h"
#include "fs/tree/identity.h"
#include "fs/tree/node.h"

uint64_t view_item_ino(const struct view *v, const struct node *row, bool has_parameter)
{
	uint64_t seed = node_seed(v->around ? &v->digest
					    : &v->image->manifest_descriptor.digest);
	uint64_t place = identity_path(IDENTITY_ROOT, v->path, strlen(v->path));
	uint64_t sum = node_ino_add(node_ino_add(place, seed, 0), seed, row->layer);

	return node_ino_end(has_parameter ? node_ino_add(sum, seed, row->entry) : sum);
}

static void fill(const struct view *v, uint64_t node, uint64_t ino, int64_t time,
		 uint32_t mode, size_t size, struct item *out)
{
	struct stat *st = &out->attr;

	memset(out, 0, sizeof(*out));
	out->node = node;
	st->st_ino = ino;
	st->st_mode = mode;
	st->st_nlink = 1;
	st->st_uid = v->context->uid;
	st->st_gid = v->context->gid;
	st->st_mtim.tv_sec = time;
	st->st_atim = st->st_ctim = st->st_mtim;
	st->st_size = (off_t)size;
	st->st_blocks = (blkcnt_t)((size + 511) / 512);
}

void view_item_dir(const struct view *v, uint64_t node, uint64_t ino, int64_t time,
		   struct item *out)
{
	fill(v, node, ino, time, S_IFDIR | 0555, 0, out);
}

void view_item_file(const struct view *v, uint64_t node, uint64_t ino, int64_t time,
		    size_t size, struct item *out)
{
	fill(v, node, ino, time, S_IFREG | 0444, size, out);
}

void view_item_top(const struct view *v, struct item *out)
{
	struct node top = {.image = v->number, .entry = 1};

	view_item_dir(v, node_pack(&top), view_item_ino(v, &top, false), v->created, out);
}
