/* SPDX-License-Identifier: MIT */
#include "fs/locate.h"

#include <errno.h>
#include <string.h>

#include "fs/merge.h"
#include "fs/mount.h"
#include "fs/options.h"
#include "fs/views.h"
#include "tar/layer.h"

int index_failed(struct mount *m, struct mount_layer *l, int code)
{
	return mount_failed(m, l, code, "the index of a layer is damaged");
}

/* The merge does not say whose index it was. */
int merge_failed(struct mount *m, int code)
{
	return code == -ENOENT ? code : index_failed(m, NULL, code);
}

void locate(struct mount *m, uint64_t id, struct located *out)
{
	memset(out, 0, sizeof(*out));
	node_unpack(id, &out->node);
	if (id == VIEWS_TOP && m->options->layout == LAYOUT_ROOTFS) {
		out->node.kind = NODE_MERGED;
		out->is_root = true;
	}
	if (out->node.kind == NODE_MERGED)
		out->merge = m->view.merge;
	if (out->node.kind == NODE_FILE)
		out->layer = mount_slot(m, out->node.layer);
}

int located_dir(struct mount *m, const struct located *p, struct merged_dir **out)
{
	struct place at = {.layer = p->node.layer, .entry = p->node.entry};
	int r;

	if (!p->merge)
		return -EIO;
	r = p->is_root ? merge_root(p->merge, out) : merge_dir(p->merge, at, out);
	return r < 0 ? merge_failed(m, r) : 0;
}

int located_file(struct mount *m, const struct located *p, struct entry *out)
{
	int r;

	if (!p->layer || p->layer->loaded < 0)
		return -ESTALE;
	r = index_entry(layer_index(p->layer->layer), p->node.entry, out);
	return r < 0 ? index_failed(m, p->layer, r) : 0;
}
