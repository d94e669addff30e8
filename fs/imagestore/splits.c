/* SPDX-License-Identifier: MIT */
#include "fs/imagestore/splits.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "base/store/store.h"
#include "fs/image/context.h"
#include "fs/image/images.h"
#include "fs/image/layers.h"
#include "fs/image/view.h"
#include "tar/layer.h"
#include "tar/tar_split.h"

/* What is idle for so long is dropped, and sooner if there are more: each is an open file. */
#define IDLE_SECONDS 120
#define OPEN_MAX     32

void splits_init(struct splits *all, struct images *images)
{
	all->images = images;
	lazy_set_init(&all->set);
}

static void drop_unused(struct splits *all, uint32_t seconds, size_t max)
{
	struct lazy *l;

	while ((l = lazy_set_take_unused(&all->set, seconds, max))) {
		close(((struct split *)l)->fd);
		lazy_gone(&all->set, l);
	}
}

void splits_release(struct splits *all)
{
	drop_unused(all, 0, 0);
	lazy_set_release(&all->set);
}

void split_init(struct split *sp, struct splits *all, uint32_t image, uint32_t layer)
{
	*sp = (struct split){.all = all, .image = image, .layer = layer, .fd = -1};
	lazy_init(&sp->lazy);
}

uint64_t split_size(const struct split *sp)
{
	return __atomic_load_n(&sp->size, __ATOMIC_ACQUIRE);
}

uint64_t split_archive_size(const struct split *sp)
{
	return __atomic_load_n(&sp->archive_size, __ATOMIC_ACQUIRE);
}

/* MAKING */

/*
 * A layer whose index was made from its table of contents is streamed after all, as a layer
 * without such a table. @l and *out are pinned; *out may be @l, pinned again.
 */
static int pin_whole(struct mount_layer *l, struct mount_layer **out)
{
	struct descriptor plain = {.digest = l->descriptor.digest,
				   .size = l->descriptor.size,
				   .media_type = l->descriptor.media_type};
	int rc = 0;

	*out = l;
	if (!index_basis_is_whole(index_info(layer_index(l->layer))->basis))
		rc = layers_find(l->layers, &plain, false, l->image,
				 mount_layer_source(l), out);
	if (rc == 0)
		rc = mount_layer_pin(*out, NULL);
	if (rc == 0 && (*out)->loaded < 0) {
		mount_layer_unpin(*out);
		rc = -EIO;
	}
	return rc;
}

static int write_split(struct split *sp, struct mount_layer *l)
{
	struct context *c = sp->all->images->context;
	int fd = store_new_file(c->store), rc;
	struct err e = {""};
	uint64_t size;

	if (fd < 0)
		fd = memfd_create("peelfs-tar-split", MFD_CLOEXEC);
	if (fd < 0)
		return mount_layer_failed(l, "", -errno, "no file for a tar-split");
	rc = tar_split_write(c->store, l->layer, fd, &c->is_cancelled, &size, &e);
	if (rc < 0) {
		close(fd);
		return mount_layer_failed(l, "", rc, e.text);
	}
	sp->fd = fd;
	__atomic_store_n(&sp->archive_size,
			 index_info(layer_index(l->layer))->decoded_size,
			 __ATOMIC_RELEASE);
	__atomic_store_n(&sp->size, size, __ATOMIC_RELEASE);
	return 0;
}

static int make_of_layer(struct split *sp, struct mount_layer *l)
{
	struct mount_layer *whole;
	int rc = mount_layer_pin(l, NULL);

	if (rc < 0)
		return rc;
	rc = l->loaded < 0 ? -EIO : pin_whole(l, &whole);
	if (rc == 0) {
		rc = write_split(sp, whole);
		mount_layer_unpin(whole);
	}
	mount_layer_unpin(l);
	return rc;
}

static void make_split(void *arg)
{
	struct split *sp = arg;
	struct view *v = images_find(sp->all->images, sp->image);
	int rc = v ? view_pin(v, NULL) : -ESTALE;

	if (rc == 0) {
		rc = view_need_layers(v, NULL);
		if (rc == 0)
			rc = sp->layer < v->layers.n_all
				     ? make_of_layer(sp, v->layers.all[sp->layer])
				     : -ESTALE;
		view_unpin(v);
	}
	lazy_made_unpinned(&sp->all->set, &sp->lazy, rc);
}

/* USE */

static int split_pin(struct split *sp, struct waiter *w)
{
	struct splits *all = sp->all;

	drop_unused(all, IDLE_SECONDS, OPEN_MAX);
	return context_errno(lazy_await(&all->set, &sp->lazy, all->images->workers,
					make_split, sp, w));
}

int split_need(struct split *sp, struct waiter *w)
{
	int rc = split_pin(sp, w);

	if (rc == 0)
		lazy_unpin(&sp->lazy);
	return rc;
}

ssize_t split_read(struct split *sp, void *buf, size_t size, uint64_t off,
		   struct waiter *w)
{
	ssize_t n = split_pin(sp, w);

	if (n < 0)
		return n;
	n = pread(sp->fd, buf, size, (off_t)off);
	if (n < 0)
		n = -EIO;
	lazy_unpin(&sp->lazy);
	return n;
}
