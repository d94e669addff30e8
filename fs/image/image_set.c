/* SPDX-License-Identifier: MIT */
#include "fs/image/image_set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

int image_set_new(struct image_set **out)
{
	struct image_set *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->refs = 1;
	*out = s;
	return 0;
}

struct image_set *image_set_ref(struct image_set *s)
{
	__atomic_add_fetch(&s->refs, 1, __ATOMIC_RELAXED);
	return s;
}

void image_set_unref(struct image_set *s)
{
	size_t i, k;

	if (!s || __atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	for (i = 0; i < s->n; i++) {
		for (k = 0; k < s->images[i].n_names; k++)
			free(s->images[i].names[k]);
		free(s->images[i].names);
	}
	free(s->images);
	free(s);
}

int image_set_add(struct image_set *s, struct view *view, const struct image *image)
{
	int rc = array_grow(&s->images, s->n, sizeof(*s->images));

	if (rc == 0)
		s->images[s->n++] = (struct listed_image){.view = view, .image = image};
	return rc;
}

int image_set_add_name(struct image_set *s, size_t i, const char *name)
{
	struct listed_image *l = &s->images[i];
	char *copy = strdup(name);
	int rc = copy ? array_grow(&l->names, l->n_names, sizeof(*l->names)) : -ENOMEM;

	if (rc < 0)
		free(copy);
	else
		l->names[l->n_names++] = copy;
	return rc;
}

static bool is_same(const struct listed_image *a, const struct listed_image *b)
{
	size_t i;

	if (a->view != b->view || a->n_names != b->n_names)
		return false;
	for (i = 0; i < a->n_names; i++) {
		if (strcmp(a->names[i], b->names[i]) != 0)
			return false;
	}
	return true;
}

bool image_set_equal(const struct image_set *a, const struct image_set *b)
{
	size_t i;

	if (a->n != b->n)
		return false;
	for (i = 0; i < a->n; i++) {
		if (!is_same(&a->images[i], &b->images[i]))
			return false;
	}
	return true;
}
