/* SPDX-License-Identifier: MIT */
#include "fs/tree/links.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void links_release(struct links *l)
{
	free(l->list);
	free(l->targets);
	memset(l, 0, sizeof(*l));
}

int links_reserve(struct links *l, uint32_t n)
{
	struct link *list;

	if (n == 0)
		return 0;
	list = realloc(l->list, ((size_t)l->n + n) * sizeof(*list));
	if (!list)
		return -ENOMEM;
	l->list = list;
	return 0;
}

void links_add(struct links *l, struct place from, const struct place *to)
{
	struct link *link = &l->list[l->n++];

	link->from = from;
	if (to) {
		link->to = *to;
	} else {
		link->to = (struct place){.layer = LINK_UNBOUND};
		l->n_unbound++;
	}
}

static int compare_pairs(uint32_t a1, uint32_t a2, uint32_t b1, uint32_t b2)
{
	if (a1 != b1)
		return a1 < b1 ? -1 : 1;
	return a2 < b2 ? -1 : a2 > b2;
}

static int compare_targets(const void *a, const void *b)
{
	const struct target *x = a, *y = b;

	return compare_pairs(x->mount_number, x->inode, y->mount_number, y->inode);
}

static int compare_links(const void *a, const void *b)
{
	const struct link *x = a, *y = b;

	return compare_pairs(x->from.layer, x->from.entry, y->from.layer, y->from.entry);
}

void links_sort(struct links *l)
{
	if (l->n > 0)
		qsort(l->list, l->n, sizeof(*l->list), compare_links);
}

int links_count(struct links *l, const struct tree_layer *layers)
{
	uint32_t i, n = 0;

	if (l->n == 0)
		return 0;
	l->targets = calloc(l->n, sizeof(*l->targets));
	if (!l->targets)
		return -ENOMEM;
	for (i = 0; i < l->n; i++) {
		const struct place *to = &l->list[i].to;

		if (to->layer != LINK_UNBOUND)
			l->targets[n++] = (struct target){layers[to->layer].mount_number,
							  to->entry, 1};
	}
	qsort(l->targets, n, sizeof(*l->targets), compare_targets);
	for (i = 0; i < n; i++) {
		struct target *last = &l->targets[l->n_targets - (l->n_targets > 0)];

		if (l->n_targets > 0 && compare_targets(last, &l->targets[i]) == 0)
			last->n++;
		else
			l->targets[l->n_targets++] = l->targets[i];
	}
	return 0;
}

const struct place *links_find(const struct links *l, struct place from)
{
	struct link key = {.from = from}, *link = NULL;

	if (l->n > 0)
		link = bsearch(&key, l->list, l->n, sizeof(key), compare_links);
	return link && link->to.layer != LINK_UNBOUND ? &link->to : NULL;
}

uint32_t links_extra(const struct links *l, uint32_t mount_number, uint32_t inode)
{
	struct target key = {.mount_number = mount_number, .inode = inode}, *t = NULL;

	if (l->n_targets > 0)
		t = bsearch(&key, l->targets, l->n_targets, sizeof(key), compare_targets);
	return t ? t->n : 0;
}
