/* SPDX-License-Identifier: MIT */
#include "fs/image/layer_files.h"

#include <errno.h>
#include <stdio.h>

#include "base/err.h"
#include "fs/erofs/image.h"
#include "fs/erofs/layer_tree.h"
#include "fs/image/erofs_file.h"
#include "fs/image/layer_list.h"
#include "fs/image/layers.h"
#include "tar/diff_id.h"
#include "tar/layer.h"

bool layer_files_never(int code)
{
	return code == -ENOTSUP || code == -EBADMSG || code == -EFBIG;
}

/* ONE LAYER, which is open */

static int make_file(struct mount_layer *l, struct err *e)
{
	struct context *c = l->layers->context;
	const struct index *ix = layer_index(l->layer);
	char digest[DIGEST_TEXT_MAX], file[DIGEST_TEXT_MAX + 8];
	struct erofs_from from = {.file = file,
				  .whose = digest_format(&l->descriptor.digest, digest),
				  .digest = &l->diff_id,
				  .n_entries = index_info(ix)->n_entries};
	struct layer_tree t;
	int rc = diff_id_of(c->store, l->layer, &c->is_cancelled, &l->diff_id, e);

	if (rc < 0)
		return rc;
	if (index_info(ix)->n_foreign > 0)
		return err_set(e, -ENOTSUP,
			       "layer %s: it has hard links to files of other layers",
			       digest);
	digest_hex(&l->diff_id, file);
	layer_tree_init(&t, ix, l->number);
	from.tree = &t.tree;
	return erofs_file_make(c, &from, &l->file_image, e);
}

static int open_file(struct mount_layer *l, struct err *e)
{
	struct lazy_set *set = &l->layers->files;
	int rc = lazy_need(set, &l->file, NULL);

	if (rc < 0)
		return err_set(e, rc, "making its EROFS image failed a few seconds ago");
	if (rc == 1) {
		rc = make_file(l, e);
		lazy_made(set, &l->file, rc);
	}
	return rc;
}

bool layer_files_close_unused(struct layers *ls, uint32_t seconds, size_t max)
{
	struct mount_layer *l;
	struct lazy *lazy;
	bool some = false;

	while ((lazy = lazy_set_take_unused(&ls->files, seconds, max))) {
		l = (struct mount_layer *)((char *)lazy -
					   offsetof(struct mount_layer, file));
		erofs_image_free(l->file_image);
		l->file_image = NULL;
		lazy_gone(&ls->files, lazy);
		some = true;
	}
	return some;
}

/* ALL OF AN IMAGE */

static int check_diff_ids(const struct layer_list *list, const struct image *img,
			  struct err *e)
{
	char want[DIGEST_TEXT_MAX], have[DIGEST_TEXT_MAX];
	size_t i;

	for (i = 0; i < list->n_all; i++) {
		const struct digest *d = &list->all[i]->diff_id;

		if (!digest_equal(d, &img->diff_ids[i]))
			return err_set(e, -EBADMSG,
				       "layer %zu has the diff ID %s, not %s as its "
				       "config says",
				       i, digest_format(d, have),
				       digest_format(&img->diff_ids[i], want));
	}
	return 0;
}

static void unpin(const struct layer_list *list, size_t n)
{
	while (n > 0)
		lazy_unpin(&list->own[--n]->file);
}

int layer_files_pin(const struct layer_list *list, const struct image *img, struct err *e)
{
	size_t n = 0;
	int rc = 0;

	while (n < list->n_own && (rc = open_file(list->own[n], e)) == 0)
		n++;
	if (rc == 0)
		rc = check_diff_ids(list, img, e);
	if (rc < 0)
		unpin(list, n);
	return rc;
}

void layer_files_unpin(const struct layer_list *list)
{
	unpin(list, list->n_own);
}
