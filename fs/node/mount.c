/* SPDX-License-Identifier: MIT */
#include "fs/node/mount.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "fs/options/options.h"
#include "fs/names/namespace.h"
#include "fs/names/refresh.h"
#include "registry/source_name.h"

int mount_open(struct mount *m, const struct options *options, struct log *log,
	       const char *mountpoint, struct err *e)
{
	bool is_namespace = source_name_is_namespace(options->source);
	int rc = context_open(&m->context, options, log, mountpoint, e);

	if (rc == 0 && options->layout > LAYOUT_ROOTFS)
		rc = err_set(e, -ENOTSUP, "this peelfs cannot show images to engines");
	workers_init(&m->workers);
	layers_init(&m->layers, &m->context, &m->workers);
	images_init(&m->images, &m->context, &m->layers, &m->workers);
	snapshots_init(&m->snapshots);
	m->namespace = NULL;
	if (rc == 0 && is_namespace)
		rc = namespace_new(options->source, &m->images, &m->snapshots,
				   &m->namespace, e);
	if (rc == 0)
		rc = images_open_first(&m->images, is_namespace ? NULL : options->source,
				       e);
	m->nodes = (struct nodes){
		.context = &m->context,
		.layers = &m->layers,
		.images = &m->images,
		.snapshots = &m->snapshots,
		.namespace = m->namespace,
	};
	return rc;
}

int mount_load(struct mount *m, struct err *e)
{
	if (!m->namespace)
		return images_load_first(&m->images, e);
	refresh_first(m->namespace);
	return 0;
}

bool mount_has_tree(const struct mount *m)
{
	return m->namespace || view_has_tree(m->images.first);
}

int mount_load_tree(struct mount *m, struct err *e)
{
	const struct view *v = m->images.first;
	const struct mount_layer *l;
	size_t i = 0;
	int rc;

	if (m->namespace)
		return 0;
	rc = images_load_first_tree(&m->images, e);
	if (rc < 0 || m->context.options->layout == LAYOUT_IMAGE)
		return rc;
	l = layer_list_broken(&v->layers, &i);
	return l ? err_set(e, -EBADMSG, "%s", mount_layer_why(l)) : 0;
}

void mount_close(struct mount *m)
{
	images_close(&m->images);
	images_release(&m->images);
	layers_release(&m->layers);
	namespace_free(m->namespace);
	snapshots_release(&m->snapshots);
	workers_release(&m->workers);
	context_close(&m->context);
}

const char *mount_name(const struct mount *m)
{
	return m->namespace ? m->context.options->source : m->images.first->image->name;
}
