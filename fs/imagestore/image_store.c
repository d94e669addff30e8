/* SPDX-License-Identifier: MIT */
#include "fs/imagestore/image_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "fs/image/image_list.h"
#include "fs/image/image_set.h"
#include "fs/image/images.h"
#include "fs/image/layers.h"
#include "fs/image/view.h"
#include "tar/layer.h"

/* LIFE */

/* Whether not all user IDs are those of the whole machine: user_namespaces(7). */
static bool is_in_user_namespace(void)
{
	FILE *f = fopen("/proc/self/uid_map", "re");
	unsigned long inside = 0, outside = 0, n = UINT32_MAX;
	bool is = f && fscanf(f, "%lu %lu %lu", &inside, &outside, &n) == 3 &&
		  (inside != 0 || outside != 0 || n != UINT32_MAX);

	if (f)
		fclose(f);
	return is;
}

static void check(void *arg);

int image_store_new(struct images *images, struct image_list *source,
		    struct image_store **out)
{
	struct image_store *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->context = images->context;
	s->source = source;
	s->hides_devices = is_in_user_namespace();
	s->is_stale = true;
	splits_init(&s->splits, images);
	s->catalog.splits = &s->splits;
	pthread_mutex_init(&s->lock, NULL);
	image_list_set_check(source, check, s);
	*out = s;
	return 0;
}

void image_store_free(struct image_store *s)
{
	size_t i;

	if (!s)
		return;
	for (i = 0; i < IMAGE_STORE_EDITIONS; i++)
		edition_release(&s->editions[i]);
	free(s->list);
	image_set_unref(s->set);
	splits_release(&s->splits);
	catalog_release(&s->catalog);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

/* LAYERS THAT ARE OPENED */

/* Under the lock; @m is pinned. A table of contents need not cover the whole archive. */
static void learn_size(struct image_store *s, struct stored_layer *l,
		       const struct mount_layer *m)
{
	const struct index_info *info = index_info(layer_index(m->layer));

	if (index_basis_is_whole(info->basis))
		l->size = info->decoded_size;
	else
		l->size = split_archive_size(&l->split);
	s->is_stale |= l->size > 0;
}

/* Under the lock. */
static void refuse(struct image_store *s, const struct stored_layer *l, const char *why)
{
	size_t i;

	for (i = 0; i < s->n_list; i++) {
		if (stored_image_has(s->list[i].image, l))
			image_list_refuse(s->source, s->list[i].view, why);
	}
}

static void meet(struct image_store *s, struct stored_layer *l,
		 const struct mount_layer *m)
{
	if (m->loaded < 0)
		refuse(s, l, mount_layer_why(m));
	else if (!l->size)
		learn_size(s, l, m);
}

void image_store_meet(struct image_store *s, uint32_t image, uint32_t layer,
		      const struct mount_layer *m)
{
	struct stored_layer *l;

	pthread_mutex_lock(&s->lock);
	l = catalog_layer_of(&s->catalog, image, layer);
	if (l)
		meet(s, l, m);
	pthread_mutex_unlock(&s->lock);
}

/* THE LIST */

/* Adds an image of the set, or has it refused. Under the lock. */
static int list_image(struct image_store *s, const struct listed_image *from,
		      struct edition_image *list, size_t *n)
{
	struct stored_image *im;
	int rc = catalog_add(&s->catalog, from->view->number, from->image, &im);

	if (rc == -ENOTSUP || rc == -EEXIST) {
		image_list_refuse(s->source, from->view,
				  rc == -ENOTSUP
					  ? "a diff ID is no SHA-256"
					  : "an image that is or was listed has the same "
					    "diff IDs, and other layers");
		return 0;
	}
	if (rc < 0)
		return rc;
	list[(*n)++] = (struct edition_image){.image = im,
					      .view = from->view,
					      .names = from->names,
					      .n_names = from->n_names};
	return 0;
}

/* Under the lock: what is known of the layers of a listed image that are open. */
static void meet_layers(struct image_store *s, const struct edition_image *from)
{
	const struct stored_image *im = from->image;
	struct view *v = from->view;
	struct mount_layer *l;
	size_t i;

	if (!lazy_pin(&v->layers_step))
		return;
	for (i = 0; i < im->n_layers && i < v->layers.n_all; i++) {
		l = v->layers.all[i];
		if (im->layers[i]->size || !lazy_pin(&l->lazy))
			continue;
		meet(s, im->layers[i], l);
		mount_layer_unpin(l);
	}
	lazy_unpin(&v->layers_step);
}

/* The same of all images that have layers of unknown size. Under the lock. */
static void meet_all(struct image_store *s)
{
	size_t i;

	for (i = 0; i < s->n_list; i++) {
		struct edition_image *e = &s->list[i];

		if (stored_image_is_measured(e->image) || !lazy_pin(&e->view->lazy))
			continue;
		meet_layers(s, e);
		view_unpin(e->view);
	}
}

/* Takes @set. Under the lock. */
static int adopt(struct image_store *s, struct image_set *set)
{
	struct edition_image *list = calloc(set->n + 1, sizeof(*list));
	size_t i, n = 0;
	int rc = list ? 0 : -ENOMEM;

	for (i = 0; rc == 0 && i < set->n; i++)
		rc = list_image(s, &set->images[i], list, &n);
	if (rc < 0) {
		image_set_unref(set);
		free(list);
		return rc;
	}
	image_set_unref(s->set);
	free(s->list);
	s->set = set;
	s->list = list;
	s->n_list = n;
	s->is_stale = true;
	return 1;
}

/* 1: the set of images was another one; by looking at it, images may have been refused. */
static int look(struct image_store *s)
{
	struct image_set *set = image_list_get(s->source);
	int rc = 0;

	pthread_mutex_lock(&s->lock);
	if (set != s->set)
		rc = adopt(s, set);
	else
		image_set_unref(set);
	if (rc >= 0)
		meet_all(s);
	pthread_mutex_unlock(&s->lock);
	return rc;
}

/* For image_list_add(). */
static void check(void *arg)
{
	(void)look(arg);
}

/* EDITIONS */

static struct edition *edition_of(struct image_store *s, uint32_t number)
{
	return &s->editions[number % IMAGE_STORE_EDITIONS];
}

/* The oldest edition makes room for a new one, unless nothing has changed after all. */
static int renew(struct image_store *s)
{
	struct edition ed = {.number = s->edition + 1, .time = clock_realtime()};
	struct edition *newest = s->edition ? edition_of(s, s->edition) : NULL;
	int rc = edition_make(&ed, s->list, s->n_list);

	if (rc == 0)
		s->is_stale = false;
	if (rc < 0 || (newest && strcmp(newest->generation, ed.generation) == 0)) {
		edition_release(&ed);
		return rc;
	}
	edition_release(edition_of(s, ed.number));
	*edition_of(s, ed.number) = ed;
	s->edition = ed.number;
	return 0;
}

int image_store_edition(struct image_store *s, uint32_t *number, struct timespec *time)
{
	int rc = look(s);

	if (rc == 1)
		rc = look(s);
	pthread_mutex_lock(&s->lock);
	if (rc >= 0)
		rc = s->is_stale || !s->edition ? renew(s) : 0;
	if (rc == 0) {
		*number = s->edition;
		*time = edition_of(s, s->edition)->time;
	}
	pthread_mutex_unlock(&s->lock);
	return rc;
}

/* Under the lock: the bytes of a text, or NULL. */
static const char *text_of(struct image_store *s, uint32_t number, enum store_text which,
			   size_t *len)
{
	const struct edition *ed = edition_of(s, number);

	if (number == 0 || ed->number != number)
		return NULL;
	switch (which) {
	case STORE_IMAGES:
		*len = ed->images.len;
		return ed->images.data;
	case STORE_LAYERS:
		*len = ed->layers.len;
		return ed->layers.data;
	case STORE_GENERATION:
		break;
	}
	*len = EDITION_GENERATION_SIZE;
	return ed->generation;
}

int image_store_text(struct image_store *s, uint32_t edition, enum store_text which,
		     size_t *len, struct timespec *time)
{
	int rc = -ESTALE;

	pthread_mutex_lock(&s->lock);
	if (text_of(s, edition, which, len)) {
		*time = edition_of(s, edition)->time;
		rc = 0;
	}
	pthread_mutex_unlock(&s->lock);
	return rc;
}

ssize_t image_store_read(struct image_store *s, uint32_t edition, enum store_text which,
			 void *buf, size_t size, uint64_t off)
{
	const char *text;
	ssize_t n = -ESTALE;
	size_t len;

	pthread_mutex_lock(&s->lock);
	text = text_of(s, edition, which, &len);
	if (text) {
		n = 0;
		if (off < len)
			n = (ssize_t)(size < len - off ? size : len - off);
		memcpy(buf, text + (n ? off : 0), (size_t)n);
	}
	pthread_mutex_unlock(&s->lock);
	return n;
}
