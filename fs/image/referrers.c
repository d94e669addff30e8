/* SPDX-License-Identifier: MIT */
/*
 * A list that could not be had is asked for again by the next who wants it.
 */
#include "fs/image/referrers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "fs/image/log.h"
#include "fs/image/context.h"
#include "fs/tree/node.h"
#include "fs/node/synthetic.h"
#include "fs/text/titles.h"
#include "registry/image_source.h"

/*
 * More than any image has: a tree with a directory for each. What a registry lists beyond
 * is left out, and said.
 */
#define REFERRERS_MAX 10000
#define TYPES_MAX     1000

void mentions_init(struct mentions *ms)
{
	memset(ms, 0, sizeof(*ms));
	hold_init(&ms->hold);
}

static void clear(struct mentions *ms)
{
	size_t i;

	for (i = 0; i < ms->n_list; i++)
		descriptor_release(&ms->list[i].descriptor);
	free(ms->list);
	free(ms->types);
	ms->list = NULL;
	ms->types = NULL;
	ms->n_list = ms->n_types = 0;
}

void mentions_release(struct mentions *ms)
{
	clear(ms);
}

/* THE LIST */

/* Room for one more of @n, which doubles at its powers of two. */
static int grow(void **list, size_t n, size_t size)
{
	void *more;

	if (n & (n - 1))
		return 0;
	more = realloc(*list, (n ? 2 * n : 1) * size);
	if (!more)
		return -ENOMEM;
	*list = more;
	return 0;
}

/* BuildKit's attestations have no artifact type, but a note of what they are. */
static const char *type_of(const struct descriptor *d)
{
	const char *text = d->artifact_type;

	if (!text)
		text = descriptor_annotation(d, "vnd.docker.reference.type");
	return text ? text : d->media_type;
}

static int find_type(struct mentions *ms, const char *text, uint32_t *out)
{
	struct mention_type type;
	void *types = ms->types;
	size_t i;
	int r;

	if (!text || !title_clean(text, type.name))
		strcpy(type.name, "unknown");
	for (i = 0; i < ms->n_types; i++) {
		if (strcmp(ms->types[i].name, type.name) == 0)
			break;
	}
	*out = (uint32_t)i;
	if (i < ms->n_types)
		return 0;
	r = i < TYPES_MAX ? grow(&types, i, sizeof(type)) : -E2BIG;
	ms->types = types;
	if (r == 0)
		ms->types[ms->n_types++] = type;
	return r;
}

static bool is_listed(const struct mentions *ms, const struct digest *d)
{
	size_t i;

	for (i = 0; i < ms->n_list; i++) {
		if (digest_equal(&ms->list[i].descriptor.digest, d))
			return true;
	}
	return false;
}

static int add(void *arg, const struct descriptor *d)
{
	struct mentions *ms = arg;
	struct mention new = {0};
	void *list = ms->list;
	int r;

	if (is_listed(ms, &d->digest))
		return 0;
	if (ms->n_list == REFERRERS_MAX)
		return -E2BIG;
	r = find_type(ms, type_of(d), &new.type);
	if (r == 0)
		r = grow(&list, ms->n_list, sizeof(new));
	ms->list = list;
	if (r == 0)
		r = descriptor_copy(d, &new.descriptor);
	if (r == 0)
		ms->list[ms->n_list++] = new;
	return r;
}

static int compare(const void *a, const void *b, void *arg)
{
	const struct mention_type *types = arg;
	const struct mention *x = a, *y = b;
	int order = strcmp(types[x->type].name, types[y->type].name);

	return order ? order
		     : memcmp(x->descriptor.digest.bytes, y->descriptor.digest.bytes,
			      sizeof(x->descriptor.digest.bytes));
}

static int compare_types(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* In order of their names: a registry has none, and numbers are to be the same each time. */
static void sort(struct mentions *ms)
{
	uint32_t type = 0, old, before;
	size_t i;

	if (ms->n_list == 0)
		return;
	qsort_r(ms->list, ms->n_list, sizeof(*ms->list), compare, ms->types);
	qsort(ms->types, ms->n_types, sizeof(*ms->types), compare_types);
	before = ms->list[0].type;
	for (i = 0; i < ms->n_list; i++) {
		old = ms->list[i].type;
		type += old != before;
		before = old;
		ms->list[i].type = type;
	}
}

/* Of the manifest, and of the index: who signs an image for many signs that. */
static int ask(struct origin *o, struct view *v, struct err *e)
{
	const struct image *img = v->image;
	struct mentions *ms = &v->mentions;
	int r = origin_referrers(o, &img->manifest_descriptor.digest, NULL, add, ms, e);

	if (r == 0 && img->has_index && !v->is_entry)
		r = origin_referrers(o, &img->index_descriptor.digest, NULL, add, ms, e);
	if (r == -E2BIG && ms->n_list > 0) {
		log_warn(v->mount->log, "%s: over %zu referrers, the others are left out",
			 img->name, ms->n_list);
		r = 0;
	}
	return r;
}

/* By the image's own reference: the origin of a namespace's images has none. */
static int open_and_ask(struct view *v, struct err *e)
{
	struct origin *own = NULL;
	int r = 0;

	if (v->source)
		r = origin_open(v->source, v->mount->client, &own, e);
	if (r == 0)
		r = ask(own ? own : v->origin, v, e);
	origin_close(own);
	return r;
}

static int make(struct view *v)
{
	struct mentions *ms = &v->mentions;
	struct err e = {"out of memory"};
	int r = open_and_ask(v, &e);

	if (r < 0) {
		clear(ms);
		err_prefix(&e, r, "what refers to %s", v->image->name);
		return mount_failed(v->mount, NULL, r, e.text);
	}
	sort(ms);
	__atomic_store_n(&ms->n_known_types, (uint32_t)ms->n_types, __ATOMIC_RELEASE);
	__atomic_store_n(&ms->n, (uint32_t)ms->n_list, __ATOMIC_RELEASE);
	return 0;
}

int mentions_need(struct view *v, struct waiter *w)
{
	return view_ask(v, &v->mount->mentions, &v->mentions.hold, make, w);
}

uint32_t mentions_count(const struct view *v)
{
	return __atomic_load_n(&v->mentions.n, __ATOMIC_ACQUIRE);
}

uint32_t mentions_types(const struct view *v)
{
	return __atomic_load_n(&v->mentions.n_known_types, __ATOMIC_ACQUIRE);
}

const struct mention *mentions_get(const struct view *v, uint32_t i)
{
	return &v->mentions.list[i];
}

const char *mentions_type(const struct view *v, uint32_t type)
{
	return v->mentions.types[type].name;
}

int mentions_view(struct view *v, uint32_t i, struct view **out)
{
	struct mention *r = &v->mentions.list[i];
	char path[NAME_MAX + DIGEST_TEXT_MAX + 32], hex[DIGEST_TEXT_MAX];
	struct inner inner = {
		.descriptor = &r->descriptor,
		.is_referrer = true,
		.around = {.image = v->number,
			   .layer = ROW_REFERRER_TYPE,
			   .entry = r->type + 1},
		.path = path,
	};

	snprintf(path, sizeof(path), "referrers/%s/%s", mentions_type(v, r->type),
		 digest_hex(&r->descriptor.digest, hex));
	return view_inner(v, &inner, &r->view, out);
}
