/* SPDX-License-Identifier: MIT */
#include "fs/node/mount.h"

#include <string.h>

#include "fs/options/options.h"
#include "fs/names/namespace.h"
#include "fs/names/refresh.h"
#include "registry/source_name.h"

int mount_open(struct mount *m, const struct options *options, struct log *log,
	       const char *mountpoint, struct err *e)
{
	bool is_namespace = source_name_is_namespace(options->source);
	int rc = context_open(&m->context, options, log, mountpoint, e);

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

/*
 * The kernel learns only once that there are no xattrs or holes, and for images that are
 * loaded later it is not known.
 */
int mount_load(struct mount *m, struct err *e)
{
	const struct view *v = m->images.first;
	bool is_open_ended = m->namespace != NULL;
	int rc = 0;

	if (!m->namespace) {
		rc = images_load_first(&m->images, e);
		is_open_ended = rc == 0 && v->image->n_platforms > 0 &&
				m->context.options->layout == LAYOUT_IMAGE;
	}
	if (m->namespace)
		refresh_first(m->namespace);
	m->nodes.has_xattrs = is_open_ended || v->has_xattrs;
	m->nodes.has_sparse = is_open_ended || v->has_sparse;
	return rc;
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
