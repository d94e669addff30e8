/* SPDX-License-Identifier: MIT */
#include "fs/image/image_rows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/buf.h"
#include "base/clock.h"
#include "fs/image/images.h"
#include "registry/image_source.h"
#include "registry/source_name.h"

/* After a failure, doubled each time. */
#define RETRY_SECONDS	  10
#define RETRY_SECONDS_MAX 640

/* LIFE */

/* A later mount begins with a later generation. */
static uint64_t first_generation(void)
{
	struct timespec now = clock_realtime();

	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

int image_rows_init(struct image_rows *rows)
{
	int rc;

	*rows = (struct image_rows){.n = 0};
	rc = image_set_new(&rows->set);
	if (rc == 0)
		rows->set->generation = first_generation();
	return rc;
}

static void known_free(struct known *k)
{
	image_free(k->own);
	image_source_close(k->source);
	free(k);
}

void image_rows_release(struct image_rows *rows)
{
	size_t i;

	for (i = 0; i < rows->n; i++)
		free(rows->rows[i]);
	for (i = 0; i < rows->n_known; i++)
		known_free(rows->known[i]);
	for (i = 0; i < rows->n_first_names; i++)
		free(rows->first_names[i]);
	free(rows->rows);
	free(rows->known);
	free(rows->first_names);
	image_set_unref(rows->set);
}

/* SETS */

/* Adds the image, unless the set has it, and the name, which may be NULL. */
static int set_add(struct image_rows *rows, struct image_set *s, struct known *k,
		   const char *name)
{
	int rc = 0;

	if (k->is_refused)
		return 0;
	if (k->making != rows->n_made) {
		rc = image_set_add(s, k->view, k->image);
		if (rc < 0)
			return rc;
		k->making = rows->n_made;
		k->place = s->n - 1;
	}
	return name ? image_set_add_name(s, k->place, name) : 0;
}

/* The mounted image may have the name of a line, too. */
static bool is_first_name(const struct image_rows *rows, const struct image_row *r)
{
	size_t i;

	for (i = 0; r->known == rows->first && i < rows->n_first_names; i++) {
		if (strcmp(rows->first_names[i], r->name) == 0)
			return true;
	}
	return false;
}

static int set_fill(struct image_rows *rows, struct image_set *s)
{
	int rc = rows->first ? set_add(rows, s, rows->first, NULL) : 0;
	size_t i;

	for (i = 0; rc == 0 && i < rows->n_first_names; i++)
		rc = set_add(rows, s, rows->first, rows->first_names[i]);
	for (i = 0; rc == 0 && i < rows->n; i++) {
		const struct image_row *r = rows->rows[i];

		if (r->known && !is_first_name(rows, r))
			rc = set_add(rows, s, r->known, r->name);
	}
	return rc;
}

void image_rows_publish(struct image_rows *rows)
{
	struct image_set *s, *old = rows->set;

	if (image_set_new(&s) < 0)
		return;
	rows->n_made++;
	if (set_fill(rows, s) < 0 || image_set_equal(s, old)) {
		image_set_unref(s);
		return;
	}
	s->generation = old->generation + 1;
	rows->set = s;
	image_set_unref(old);
}

/* THE MOUNTED IMAGE */

static int add_first_name(struct image_rows *rows, const char *text)
{
	char name[REFERENCE_TEXT_MAX];
	struct reference ref;
	int rc;

	if (reference_parse(text, &ref, NULL) < 0)
		return 0; /* an archive may have any words there */
	rc = array_grow(&rows->first_names, rows->n_first_names, sizeof(char *));
	if (rc < 0)
		return rc;
	rows->first_names[rows->n_first_names] = strdup(image_lines_name(&ref, name));
	if (!rows->first_names[rows->n_first_names])
		return -ENOMEM;
	rows->n_first_names++;
	return 0;
}

/* An archive of `docker save` names its images; other images on disk have no names. */
static int name_first(struct image_rows *rows, const struct image *img)
{
	char *lines, *rest, *line;
	int rc = 0;

	if (!source_name_is_local(img->name))
		return add_first_name(rows, img->name);
	lines = rest = strdup(img->tags ? img->tags : "");
	if (!lines)
		return -ENOMEM;
	while (rc == 0 && (line = strsep(&rest, "\n"))) {
		if (line[0])
			rc = add_first_name(rows, line);
	}
	free(lines);
	return rc;
}

int image_rows_begin(struct image_rows *rows, struct view *first)
{
	struct known *k = calloc(1, sizeof(*k));
	int rc = -ENOMEM;

	if (!k)
		return rc;
	k->view = first;
	k->image = first->image;
	rc = name_first(rows, first->image);
	if (rc == 0)
		rc = array_grow(&rows->known, rows->n_known, sizeof(struct known *));
	if (rc < 0) {
		free(k);
		return rc;
	}
	rows->known[rows->n_known++] = k;
	rows->first = k;
	return 0;
}

/* ROWS */

struct image_row *image_rows_find(const struct image_rows *rows, const char *name)
{
	size_t i;

	for (i = 0; i < rows->n; i++) {
		if (strcmp(rows->rows[i]->name, name) == 0)
			return rows->rows[i];
	}
	return NULL;
}

struct image_row *image_rows_add(struct image_rows *rows, const char *name)
{
	struct image_row *r = NULL;

	if (rows->n < 2 * IMAGE_LINES_MAX)
		r = calloc(1, sizeof(*r));
	if (!r || array_grow(&rows->rows, rows->n, sizeof(struct image_row *)) < 0) {
		free(r);
		return NULL;
	}
	snprintf(r->name, sizeof(r->name), "%s", name);
	r->is_wanted = true;
	rows->rows[rows->n++] = r;
	return r;
}

void image_rows_drop(struct image_rows *rows)
{
	size_t i, n = 0;

	for (i = 0; i < rows->n; i++) {
		struct image_row *r = rows->rows[i];

		if (r->line > 0 || r->n_adding > 0)
			rows->rows[n++] = r;
		else if (r->is_busy)
			r->is_gone = true;
		else
			free(r);
	}
	rows->n = n;
}

static int compare_lines(const void *a, const void *b)
{
	const struct image_row *x = *(struct image_row *const *)a,
			       *y = *(struct image_row *const *)b;

	/* Those of no line come last. */
	return x->line - 1 < y->line - 1 ? -1 : x->line - 1 > y->line - 1;
}

static void read_line(struct image_rows *rows, const struct reference *ref, unsigned line)
{
	char name[REFERENCE_TEXT_MAX];
	struct image_row *r = image_rows_find(rows, image_lines_name(ref, name));

	if (!r)
		r = image_rows_add(rows, name);
	if (!r || r->line > 0)
		return; /* twice in the file */
	r->line = line;
	r->is_wanted |= !r->known && !r->is_busy;
}

void image_rows_read(struct image_rows *rows, const struct buf *text, const char *prefix,
		     void (*complain)(void *arg, unsigned line, int code, struct err *e),
		     void *arg)
{
	struct image_lines it = {.text = text->data, .len = text->len, .prefix = prefix};
	struct reference ref;
	struct err e = {""};
	size_t i;
	int rc;

	for (i = 0; i < rows->n; i++)
		rows->rows[i]->line = 0;
	while ((rc = image_lines_next(&it, &ref, &e)) != 0) {
		if (rc < 0)
			complain(arg, it.line, rc, &e);
		else
			read_line(rows, &ref, it.line);
	}
	image_rows_drop(rows);
	if (rows->n > 0)
		qsort(rows->rows, rows->n, sizeof(struct image_row *), compare_lines);
}

void image_rows_retry(struct image_rows *rows)
{
	uint32_t now = clock_seconds();
	size_t i;

	for (i = 0; i < rows->n; i++) {
		struct image_row *r = rows->rows[i];

		if (r->failed && !r->known && !r->is_busy &&
		    now - r->failed_at >= r->delay)
			r->is_wanted = true;
	}
}

/* RESULTS */

static struct known *find_known(const struct image_rows *rows, const struct image *img)
{
	size_t i;

	for (i = 0; i < rows->n_known; i++) {
		if (digest_equal(&rows->known[i]->image->manifest_descriptor.digest,
				 &img->manifest_descriptor.digest))
			return rows->known[i];
	}
	return NULL;
}

/* A new image with a view of its own. It takes image and source on success. */
static int make_known(struct image_rows *rows, struct images *images, struct image *img,
		      struct image_source *source, struct known **out)
{
	struct view what = {.image_source = source};
	struct known *k = calloc(1, sizeof(*k));
	int rc = -ENOMEM;

	if (!k || array_grow(&rows->known, rows->n_known, sizeof(struct known *)) < 0)
		goto out;
	what.digest = img->manifest_descriptor.digest;
	what.created = img->has_created ? img->created : 0;
	what.path = strdup("");
	if (what.path)
		rc = images_add(images, &what, &k->view);
	if (rc < 0) {
		free(what.path);
		goto out;
	}
	k->image = k->own = img;
	k->source = source;
	rows->known[rows->n_known++] = k;
	*out = k;
out:
	if (rc < 0)
		free(k);
	return rc;
}

int image_rows_found(struct image_rows *rows, struct image_row *r, struct images *images,
		     struct image *image, struct image_source *source)
{
	struct known *k = find_known(rows, image);
	int rc = 0;

	if (k) {
		image_free(image);
		image_source_close(source);
	} else {
		rc = make_known(rows, images, image, source, &k);
	}
	if (rc < 0)
		return rc;
	k->is_refused = false;
	r->known = k;
	r->failed = 0;
	r->why[0] = '\0';
	return 0;
}

bool image_row_fail(struct image_row *r, int code, const struct err *e)
{
	bool is_named = strstr(e->text, r->name) != NULL;
	struct err full;

	r->delay = r->failed ? 2 * r->delay : RETRY_SECONDS;
	if (r->delay > RETRY_SECONDS_MAX)
		r->delay = RETRY_SECONDS_MAX;
	r->failed_at = clock_seconds();
	r->failed = code;
	err_set(&full, code, "%s%s%s", is_named ? "" : r->name, is_named ? "" : ": ",
		e->text);
	if (strcmp(full.text, r->why) == 0)
		return false;
	memcpy(r->why, full.text, sizeof(r->why));
	return true;
}

const struct image *image_rows_refuse(struct image_rows *rows, const struct view *v,
				      const char *why)
{
	size_t i;

	for (i = 0; i < rows->n_known; i++) {
		struct known *k = rows->known[i];

		if (k->view != v || k->is_refused)
			continue;
		k->is_refused = true;
		snprintf(k->why, sizeof(k->why), "%s", why);
		return k->image;
	}
	return NULL;
}
