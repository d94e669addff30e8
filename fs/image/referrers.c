/* SPDX-License-Identifier: MIT */
#include "fs/image/referrers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/err.h"
#include "fs/options/log.h"
#include "fs/text/titles.h"
#include "registry/image_source.h"

/*
 * More than any image has; each is a directory of the mount. The rest is left out, with a
 * warning.
 */
#define REFERRERS_MAX 10000
#define TYPES_MAX     1000

void referrers_init(struct referrers *rs)
{
	memset(rs, 0, sizeof(*rs));
	lazy_init(&rs->lazy);
}

void referrers_release(struct referrers *rs)
{
	size_t i;

	for (i = 0; i < rs->n_list; i++)
		descriptor_release(&rs->list[i].descriptor);
	free(rs->list);
	free(rs->types);
	rs->list = NULL;
	rs->types = NULL;
	rs->n_list = rs->n_types = 0;
}

/* THE LIST */

/* BuildKit's attestations have no artifact type, but a note of what they are. */
static const char *type_of(const struct descriptor *d)
{
	const char *text = d->artifact_type;

	if (!text)
		text = descriptor_annotation(d, "vnd.docker.reference.type");
	return text ? text : d->media_type;
}

static int find_type(struct referrers *rs, const char *text, uint32_t *out)
{
	struct referrer_type type;
	size_t i;
	int rc;

	if (!text || !title_clean(text, type.name))
		strcpy(type.name, "unknown");
	for (i = 0; i < rs->n_types; i++) {
		if (strcmp(rs->types[i].name, type.name) == 0)
			break;
	}
	*out = (uint32_t)i;
	if (i < rs->n_types)
		return 0;
	rc = i < TYPES_MAX ? array_grow(&rs->types, i, sizeof(type)) : -E2BIG;
	if (rc == 0)
		rs->types[rs->n_types++] = type;
	return rc;
}

static bool is_listed(const struct referrers *rs, const struct digest *d)
{
	size_t i;

	for (i = 0; i < rs->n_list; i++) {
		if (digest_equal(&rs->list[i].descriptor.digest, d))
			return true;
	}
	return false;
}

static int add_referrer(void *arg, const struct descriptor *d)
{
	struct referrers *rs = arg;
	struct referrer new = {0};
	int rc;

	if (is_listed(rs, &d->digest))
		return 0;
	if (rs->n_list == REFERRERS_MAX)
		return -E2BIG;
	rc = find_type(rs, type_of(d), &new.type);
	if (rc == 0)
		rc = array_grow(&rs->list, rs->n_list, sizeof(new));
	if (rc == 0)
		rc = descriptor_copy(d, &new.descriptor);
	if (rc == 0)
		rs->list[rs->n_list++] = new;
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

/* By name: a registry lists them in no order, and numbers should be reproducible. */
static void sort(struct referrers *rs)
{
	uint32_t type = 0, old, before;
	size_t i;

	if (rs->n_list == 0)
		return;
	qsort_r(rs->list, rs->n_list, sizeof(*rs->list), compare, rs->types);
	qsort(rs->types, rs->n_types, sizeof(*rs->types), compare_types);
	before = rs->list[0].type;
	for (i = 0; i < rs->n_list; i++) {
		old = rs->list[i].type;
		type += old != before;
		before = old;
		rs->list[i].type = type;
	}
}

static int list_all(struct referrers *rs, struct image_source *source,
		    const struct image *img, bool of_index, struct log *log,
		    struct err *e)
{
	int rc = image_source_referrers(source, &img->manifest_descriptor.digest, NULL,
					add_referrer, rs, e);

	if (rc == 0 && of_index)
		rc = image_source_referrers(source, &img->index_descriptor.digest, NULL,
					    add_referrer, rs, e);
	if (rc == -E2BIG && rs->n_list > 0) {
		log_warn(log, "%s: over %zu referrers, the others are left out",
			 img->name, rs->n_list);
		rc = 0;
	}
	return rc;
}

int referrers_fetch(struct referrers *rs, struct image_source *source,
		    const struct image *img, bool of_index, struct log *log,
		    struct err *e)
{
	int rc = list_all(rs, source, img, of_index, log, e);

	if (rc < 0) {
		referrers_release(rs);
		return rc;
	}
	sort(rs);
	__atomic_store_n(&rs->n_known_types, (uint32_t)rs->n_types, __ATOMIC_RELEASE);
	__atomic_store_n(&rs->n, (uint32_t)rs->n_list, __ATOMIC_RELEASE);
	return 0;
}

uint32_t referrers_count(const struct referrers *rs)
{
	return __atomic_load_n(&rs->n, __ATOMIC_ACQUIRE);
}

uint32_t referrers_types(const struct referrers *rs)
{
	return __atomic_load_n(&rs->n_known_types, __ATOMIC_ACQUIRE);
}
