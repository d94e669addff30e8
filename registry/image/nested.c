/* SPDX-License-Identifier: MIT */
#include "registry/image/nested.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/err.h"
#include "registry/image/document_kind.h"
#include "registry/image/documents.h"
#include "registry/image/image.h"

/* Collecting */

struct collection {
	struct backend *backend;
	struct entries *out;
	bool all; /* entries, and not only images */
	unsigned depth;
	size_t n_indexes; /* that were read, or could not be */
	struct err *why;
};

static void leave_out(struct collection *c, const struct descriptor *d,
		      const char *reason)
{
	char text[DIGEST_TEXT_MAX];

	if (c->why && !c->why->text[0])
		err_set(c->why, 0,
			"platforms/ lacks images of the index, because of %s inside it: "
			"%s",
			digest_format(&d->digest, text), reason);
}

static int collect(struct collection *c, struct entries *index);

/* 0, or -ENOMEM. */
static int collect_inner(struct collection *c, const struct descriptor *d)
{
	struct entries inner = {0};
	struct err e = {"out of memory"};
	struct buf bytes;
	int rc;

	if (c->depth == NESTED_LEVELS_MAX || c->n_indexes == NESTED_INDEXES_MAX) {
		leave_out(c, d, "too many indexes are inside each other");
		return 0;
	}
	c->n_indexes++;
	rc = document_get(c->backend, d, &bytes, &e);
	if (rc == 0) {
		rc = (c->all ? entries_parse_all : entries_parse)(bytes.data, bytes.len,
								  &inner, &e);
		buf_release(&bytes);
	}
	if (rc == 0) {
		c->depth++;
		rc = collect(c, &inner);
		c->depth--;
	} else if (rc != -ENOMEM) {
		leave_out(c, d, e.text);
		rc = 0;
	}
	entries_release(&inner);
	return rc;
}

static int collect_entry(struct collection *c, struct descriptor *d)
{
	struct entries *out = c->out;
	int rc;

	if (out->n == IMAGE_INDEX_MAX) {
		leave_out(c, d, "there are too many images");
		return 0;
	}
	rc = array_grow(&out->list, out->n, sizeof(*out->list));
	if (rc < 0)
		return rc;
	out->list[out->n++] = *d;
	*d = (struct descriptor){0};
	return 0;
}

static int collect(struct collection *c, struct entries *index)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < index->n && rc == 0; i++) {
		struct descriptor *d = &index->list[i];
		bool is_index = document_kind_of(d->media_type) == DOCUMENT_INDEX;

		if (is_index)
			rc = collect_inner(c, d);
		if (rc == 0 && (!is_index || c->all))
			rc = collect_entry(c, d);
	}
	return rc;
}

int nested_images(struct backend *b, struct entries *index, struct entries *out,
		  struct err *why)
{
	struct collection c = {.backend = b, .out = out, .why = why};

	if (why)
		why->text[0] = '\0';
	return collect(&c, index);
}

int nested_entries(struct backend *b, struct entries *index, struct entries *out)
{
	struct collection c = {.backend = b, .out = out, .all = true};

	return collect(&c, index);
}

/* Giving */

bool nested_has(const struct entries *images, const struct digest *manifest)
{
	size_t i;

	for (i = 0; i < images->n; i++) {
		if (digest_equal(&images->list[i].digest, manifest))
			return true;
	}
	return false;
}

static bool is_other_image(const struct image *img, const struct descriptor *d)
{
	return document_kind_of(d->media_type) == DOCUMENT_MANIFEST && d->has_platform &&
	       !digest_equal(&d->digest, &img->manifest_descriptor.digest);
}

/* By digest and by platform name. */
static int compare_platforms(const struct descriptor *a, const struct descriptor *b)
{
	char one[PLATFORM_TEXT_MAX], two[PLATFORM_TEXT_MAX];

	if (!digest_equal(&a->digest, &b->digest))
		return memcmp(&a->digest, &b->digest, sizeof(a->digest));
	return strcmp(platform_format(&a->platform, '-', one),
		      platform_format(&b->platform, '-', two));
}

/* Equal entries keep the order of the index. */
static int compare_entries(const void *a, const void *b)
{
	const struct descriptor *x = *(struct descriptor *const *)a;
	const struct descriptor *y = *(struct descriptor *const *)b;
	int order = compare_platforms(x, y);

	return order ? order : x < y ? -1 : x > y;
}

int nested_give_platforms(struct entries *en, struct image *img)
{
	struct descriptor **others = calloc(en->n + 1, sizeof(*others));
	size_t i, n = 0;

	img->platforms = calloc(en->n + 1, sizeof(*img->platforms));
	if (!others || !img->platforms) {
		free(others);
		return -ENOMEM;
	}
	for (i = 0; i < en->n; i++) {
		if (is_other_image(img, &en->list[i]))
			others[n++] = &en->list[i];
	}
	qsort(others, n, sizeof(*others), compare_entries);
	for (i = 1; i < n; i++) {
		if (compare_platforms(others[i - 1], others[i]) == 0)
			others[i]->has_platform = false;
	}
	free(others);
	for (i = 0; i < en->n; i++) {
		if (!is_other_image(img, &en->list[i]))
			continue;
		img->platforms[img->n_platforms++] = en->list[i];
		en->list[i] = (struct descriptor){0};
	}
	return 0;
}
