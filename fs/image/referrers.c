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
#include "fs/options/log.h"
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

void referrers_init(struct referrers *ms)
{
	memset(ms, 0, sizeof(*ms));
	lazy_init(&ms->lazy);
}

static void clear(struct referrers *ms)
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

void referrers_release(struct referrers *ms)
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

static int find_type(struct referrers *ms, const char *text, uint32_t *out)
{
	struct referrer_type type;
	void *types = ms->types;
	size_t i;
	int rc;

	if (!text || !title_clean(text, type.name))
		strcpy(type.name, "unknown");
	for (i = 0; i < ms->n_types; i++) {
		if (strcmp(ms->types[i].name, type.name) == 0)
			break;
	}
	*out = (uint32_t)i;
	if (i < ms->n_types)
		return 0;
	rc = i < TYPES_MAX ? grow(&types, i, sizeof(type)) : -E2BIG;
	ms->types = types;
	if (rc == 0)
		ms->types[ms->n_types++] = type;
	return rc;
}

static bool is_listed(const struct referrers *ms, const struct digest *d)
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
	struct referrers *ms = arg;
	struct referrer new = {0};
	void *list = ms->list;
	int rc;

	if (is_listed(ms, &d->digest))
		return 0;
	if (ms->n_list == REFERRERS_MAX)
		return -E2BIG;
	rc = find_type(ms, type_of(d), &new.type);
	if (rc == 0)
		rc = grow(&list, ms->n_list, sizeof(new));
	ms->list = list;
	if (rc == 0)
		rc = descriptor_copy(d, &new.descriptor);
	if (rc == 0)
		ms->list[ms->n_list++] = new;
	return rc;
}

static int compare(const void *a, const void *b, void *arg)
{
	const struct referrer_type *types = arg;
	const struct referrer *x = a, *y = b;
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
static void sort(struct referrers *ms)
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
static int ask(struct image_source *o, struct view *v, struct err *e)
{
	const struct image *img = v->image;
	struct referrers *ms = &v->referrers;
	int rc = image_source_referrers(o, &img->manifest_descriptor.digest, NULL, add,
					ms, e);

	if (rc == 0 && img->has_index && !v->is_entry)
		rc = image_source_referrers(o, &img->index_descriptor.digest, NULL, add,
					    ms, e);
	if (rc == -E2BIG && ms->n_list > 0) {
		log_warn(v->mount->log, "%s: over %zu referrers, the others are left out",
			 img->name, ms->n_list);
		rc = 0;
	}
	return rc;
}

/* By the image's own reference: the origin of a namespace's images has none. */
static int open_and_ask(struct view *v, struct err *e)
{
	struct image_source *own = NULL;
	int rc = 0;

	if (v->source)
		rc = image_source_open(v->source, v->mount->client, &own, e);
	if (rc == 0)
		rc = ask(own ? own : v->image_source, v, e);
	image_source_close(own);
	return rc;
}

static int make(struct view *v)
{
	struct referrers *ms = &v->referrers;
	struct err e = {"out of memory"};
	int rc = open_and_ask(v, &e);

	if (rc < 0) {
		clear(ms);
		err_prefix(&e, rc, "what refers to %s", v->image->name);
		return mount_failed(v->mount, NULL, rc, e.text);
	}
	sort(ms);
	__atomic_store_n(&ms->n_known_types, (uint32_t)ms->n_types, __ATOMIC_RELEASE);
	__atomic_store_n(&ms->n, (uint32_t)ms->n_list, __ATOMIC_RELEASE);
	return 0;
}

int referrers_need(struct view *v, struct waiter *w)
{
	return view_ask(v, &v->mount->referrers, &v->referrers.lazy, make, w);
}

uint32_t referrers_count(const struct view *v)
{
	return __atomic_load_n(&v->referrers.n, __ATOMIC_ACQUIRE);
}

uint32_t referrers_types(const struct view *v)
{
	return __atomic_load_n(&v->referrers.n_known_types, __ATOMIC_ACQUIRE);
}

const struct referrer *referrers_get(const struct view *v, uint32_t i)
{
	return &v->referrers.list[i];
}

const char *referrers_type(const struct view *v, uint32_t type)
{
	return v->referrers.types[type].name;
}

int referrers_view(struct view *v, uint32_t i, struct view **out)
{
	struct referrer *r = &v->referrers.list[i];
	char path[NAME_MAX + DIGEST_TEXT_MAX + 32], hex[DIGEST_TEXT_MAX];
	struct inner inner = {
		.descriptor = &r->descriptor,
		.is_referrer = true,
		.around = {.image = v->number,
			   .layer = ROW_REFERRER_TYPE,
			   .entry = r->type + 1},
		.path = path,
	};

	snprintf(path, sizeof(path), "referrers/%s/%s", referrers_type(v, r->type),
		 digest_hex(&r->descriptor.digest, hex));
	return view_inner(v, &inner, &r->view, out);
}
