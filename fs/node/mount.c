/* SPDX-License-Identifier: MIT */
#include "fs/node/mount.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "fs/image/image_list.h"
#include "fs/imagestore/image_store.h"
#include "fs/options/options.h"
#include "fs/names/name_tree.h"
#include "fs/names/namespace.h"
#include "fs/names/refresh.h"
#include "registry/source_name.h"

/* Whether many images are shown, for engines. */
static bool has_list(const struct options *o)
{
	return o->layout == LAYOUT_STORE || o->layout == LAYOUT_EROFS;
}

static bool is_image(const struct mount *m)
{
	return !source_name_is_namespace(m->context.options->source);
}

/* The source as a namespace: to be browsed, or the limit of a list. */
static int open_names(struct mount *m, const struct options *o, struct err *e)
{
	char prefix[NAME_PATH_MAX] = "";
	bool is_namespace = source_name_is_namespace(o->source);
	int rc = 0;

	if (is_namespace && !has_list(o))
		return namespace_new(o->source, &m->images, &m->snapshots, &m->namespace,
				     e);
	if (!has_list(o))
		return 0;
	if (is_namespace && !o->images)
		return err_set(e, -EINVAL,
			       "%s: which images of this registry? -o images=FILE lists "
			       "them",
			       o->source);
	if (is_namespace)
		rc = namespace_prefix(o->source, prefix, sizeof(prefix), e);
	return rc < 0 ? rc : image_list_new(&m->images, prefix, o->images, &m->list, e);
}

int mount_open(struct mount *m, const struct options *options, struct log *log,
	       const char *mountpoint, struct err *e)
{
	int rc = context_open(&m->context, options, log, mountpoint, e);

	workers_init(&m->workers);
	layers_init(&m->layers, &m->context, &m->workers);
	images_init(&m->images, &m->context, &m->layers, &m->workers);
	snapshots_init(&m->snapshots);
	m->namespace = NULL;
	m->list = NULL;
	m->image_store = NULL;
	if (rc == 0)
		rc = open_names(m, options, e);
	if (rc == 0 && options->layout == LAYOUT_STORE)
		rc = image_store_new(&m->images, m->list, &m->image_store);
	if (rc == 0)
		rc = images_open_first(&m->images, is_image(m) ? options->source : NULL,
				       e);
	m->images.list = m->list;
	m->nodes = (struct nodes){
		.context = &m->context,
		.layers = &m->layers,
		.images = &m->images,
		.snapshots = &m->snapshots,
		.namespace = m->namespace,
		.list = m->list,
		.image_store = m->image_store,
	};
	return rc;
}

int mount_load(struct mount *m, struct err *e)
{
	int rc = is_image(m) ? images_load_first(&m->images, e) : 0;

	if (rc == 0 && m->list)
		rc = image_list_begin(m->list, is_image(m) ? m->images.first : NULL, e);
	if (rc == 0 && m->namespace)
		refresh_first(m->namespace);
	return rc;
}

bool mount_has_tree(const struct mount *m)
{
	return !is_image(m) || view_has_tree(m->images.first);
}

int mount_load_tree(struct mount *m, struct err *e)
{
	const struct view *v = m->images.first;
	const struct mount_layer *l;
	size_t i = 0;
	int rc;

	if (!is_image(m))
		return 0;
	rc = images_load_first_tree(&m->images, e);
	if (rc < 0 || !options_shows_rootfs(m->context.options))
		return rc;
	l = layer_list_broken(&v->layers, &i);
	return l ? err_set(e, -EBADMSG, "%s", mount_layer_why(l)) : 0;
}

void mount_close(struct mount *m)
{
	images_close(&m->images);
	image_store_free(m->image_store);
	images_release(&m->images);
	layers_release(&m->layers);
	namespace_free(m->namespace);
	image_list_free(m->list);
	snapshots_release(&m->snapshots);
	workers_release(&m->workers);
	context_close(&m->context);
}

const char *mount_name(const struct mount *m)
{
	return is_image(m) ? m->images.first->image->name : m->context.options->source;
}
