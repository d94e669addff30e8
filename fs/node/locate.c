/* SPDX-License-Identifier: MIT */
#include "fs/node/locate.h"

#include <errno.h>
#include <string.h>

#include "fs/tree/merge.h"
#include "fs/image/context.h"
#include "fs/options/options.h"
#include "fs/node/nodes.h"
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

static int pin_layer(struct mount *m, struct waiter *w, struct located *out)
{
	struct mount_layer *l = layers_get(m, out->node.layer);
	int rc = l ? mount_layer_pin(m, l, w) : -ESTALE;

	if (rc == 0)
		out->layer = l;
	return rc;
}

static int pin_view(struct mount *m, struct waiter *w, struct located *out)
{
	struct view *v = images_find(m, out->node.image);
	int rc = v ? view_pin(v, w) : -ESTALE;

	if (rc < 0)
		return rc;
	out->view = v;
	if (out->node.kind == NODE_MERGED)
		out->merge = v->merge;
	return 0;
}

int locate(struct mount *m, uint64_t id, struct waiter *w, struct located *out)
{
	memset(out, 0, sizeof(*out));
	out->mount = m;
	node_unpack(id, &out->node);
	if (id == NODES_TOP && m->options->layout == LAYOUT_ROOTFS) {
		out->node.kind = NODE_MERGED;
		out->is_root = true;
	}
	return out->node.kind == NODE_FILE ? pin_layer(m, w, out) : pin_view(m, w, out);
}

void located_release(struct located *p)
{
	if (p->layer)
		mount_layer_unpin(p->layer);
	if (p->view)
		view_unpin(p->view);
}

int located_dir(const struct located *p, struct merged_dir **out)
{
	struct place at = {.layer = p->node.layer, .entry = p->node.entry};
	int rc;

	if (!p->merge)
		return -EIO;
	rc = p->is_root ? merge_root(p->merge, out) : merge_dir(p->merge, at, out);
	return rc < 0 ? merge_failed(p->mount, rc) : 0;
}

int located_file(const struct located *p, struct entry *out)
{
	int rc;

	if (p->layer->is_file)
		return -ESTALE;
	if (p->layer->loaded < 0)
		return -EIO; /* it was good when the node was given out */
	rc = index_entry(layer_index(p->layer->layer), p->node.entry, out);
	return rc < 0 ? index_failed(p->mount, p->layer, rc) : 0;
}
