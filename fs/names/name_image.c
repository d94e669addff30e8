/* SPDX-License-Identifier: MIT */
#include "fs/names/name_image.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/image/images.h"
#include "fs/image/view_item.h"
#include "fs/names/name_item.h"
#include "fs/names/name_tree.h"
#include "fs/names/namespace.h"

/* The directory that shows the images of a repository: around it, or else itself. */
static const struct name *place_of(const struct name_tree *t, const struct name *dir)
{
	return dir->parent ? name_tree_get(t, dir->parent) : dir;
}

static char *image_path(const struct name_tree *t, const struct name *dir,
			const char *digest)
{
	const struct name *top = name_tree_get(t, NAME_TOP);
	char full[NAME_PATH_MAX], *out;
	size_t len;

	name_tree_path(t, dir, full);
	len = strlen(top->text);
	if (asprintf(&out, "/%s@%s", full + len + (full[len] == '/'), digest) < 0)
		return NULL;
	return out;
}

static int new_image(struct namespace *ns, struct name *dir, const char *digest,
		     struct image_source *source, struct view **out)
{
	struct view what = {.image_source = source};
	char path[NAME_PATH_MAX];
	int rc = digest_parse(digest, strlen(digest), &what.digest);

	if (rc < 0)
		return rc;
	what.around = name_item_node(NAME_ROW_DIR, 0, place_of(ns->tree, dir)->number);
	what.path = image_path(ns->tree, dir, digest);
	if (asprintf(&what.source, "%s@%s", name_tree_path(ns->tree, dir, path), digest) <
	    0)
		what.source = NULL;
	rc = what.path && what.source ? images_add(ns->images, &what, out) : -ENOMEM;
	if (rc < 0) {
		free(what.path);
		free(what.source);
	}
	return rc;
}

int name_image_add(struct namespace *ns, struct name *dir, const char *digest,
		   struct image_source *source)
{
	struct name_tree *t = ns->tree;
	struct view *v = NULL;
	struct name *image;
	int rc;

	pthread_mutex_lock(&t->lock);
	rc = name_tree_add(t, dir, NAME_IMAGE, digest, strlen(digest), &image);
	if (rc == 0 && image->image == 0) {
		rc = new_image(ns, dir, digest, source, &v);
		if (rc == 0)
			image->image = v->number;
	}
	name_tree_show(t, dir);
	pthread_mutex_unlock(&t->lock);
	return rc;
}

bool name_image_find(struct namespace *ns, struct name *dir, const char *digest,
		     struct item *out)
{
	struct name_tree *t = ns->tree;
	struct name *image;
	uint32_t number;

	pthread_mutex_lock(&t->lock);
	image = name_tree_find(t, dir, NAME_IMAGE, digest, strlen(digest));
	number = image ? image->image : 0;
	pthread_mutex_unlock(&t->lock);
	if (number)
		view_item_top(images_find(ns->images, number), out);
	return number != 0;
}
