/* SPDX-License-Identifier: MIT */
/*
 * A row is a reference: of a line of the file, or one that image_list_add() was asked for. It
 * leads to an image, of which there is one for each manifest that was ever listed. Both are
 * under one lock, which nobody holds during a request to a registry. The set that others see
 * is made anew after each change and published if it differs from the one before.
 */
#include "fs/image/image_list.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/err.h"
#include "fs/image/context.h"
#include "fs/image/image_file.h"
#include "fs/image/image_lines.h"
#include "fs/image/images.h"
#include "fs/image/waiters.h"
#include "fs/image/workers.h"
#include "fs/options/log.h"
#include "fs/options/options.h"
#include "registry/image_source.h"
#include "registry/source_name.h"

/* References that are resolved at one time: as many as a registry likes to serve. */
#define RESOLVING_MAX 8
/* After a failure, doubled each time. */
#define RETRY_SECONDS	  10
#define RETRY_SECONDS_MAX 640
/* For the file, when the mount begins. A registry that is silent must not stop a machine's
 * start. */
#define BEGIN_MS 10000

/* An image that was listed at some time. It stays, because its view does. */
struct known {
	struct view *view;
	struct image *image;
	struct image_source *source; /* NULL: of the view alone, as the image is */
	bool is_refused;
	uint64_t making; /* the set in which it has the place: */
	size_t place;
};

struct row {
	char name[REFERENCE_TEXT_MAX]; /* image_lines_name() */
	unsigned line;		       /* of the file; 0: in none */
	unsigned n_adding;	       /* calls of image_list_add() */
	struct known *known;	       /* NULL: not listed */
	bool is_wanted;		       /* to be resolved */
	bool is_busy;		       /* a thread resolves it */
	bool is_gone;		       /* then: nobody else knows the row any more */
	int failed;		       /* the last time; 0: it did not */
	uint32_t failed_at, delay;     /* clock_seconds(); seconds */
	char why[ERR_TEXT_MAX];
};

struct image_list {
	struct images *images;
	struct context *context;
	char *prefix;
	bool has_file;
	pthread_mutex_t file_lock; /* before the other */
	struct image_file file;	   /* under file_lock */
	struct err complaint;	   /* the same: the last one about the file as a whole */

	pthread_mutex_t lock;
	pthread_cond_t changed; /* a row is resolved */
	/* Under lock: */
	struct known *first; /* the mounted image, or NULL */
	char **first_names;
	size_t n_first_names;
	struct row **rows; /* in the order of the file */
	size_t n_rows;
	struct known **known;
	size_t n_known;
	unsigned n_threads;
	uint64_t n_made; /* sets */
	struct image_set *set;
};

/* LIFE */

/* A later mount begins with a later generation. */
static uint64_t first_generation(void)
{
	struct timespec now = clock_realtime();

	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

int image_list_new(struct images *images, const char *prefix, const char *file,
		   struct image_list **out, struct err *e)
{
	struct image_list *l = calloc(1, sizeof(*l));
	int rc = 0;

	if (!l)
		return err_set(e, -ENOMEM, "out of memory");
	l->images = images;
	l->context = images->context;
	pthread_mutex_init(&l->file_lock, NULL);
	pthread_mutex_init(&l->lock, NULL);
	clock_cond_init(&l->changed);
	l->prefix = strdup(prefix);
	if (!l->prefix || image_set_new(&l->set) < 0)
		rc = err_set(e, -ENOMEM, "out of memory");
	else
		l->set->generation = first_generation();
	l->has_file = file != NULL;
	if (rc == 0 && file)
		rc = image_file_init(&l->file, file, e);
	if (rc < 0)
		image_list_free(l);
	else
		*out = l;
	return rc;
}

static void known_free(struct known *k)
{
	if (k->source) {
		image_free(k->image);
		image_source_close(k->source);
	}
	free(k);
}

void image_list_free(struct image_list *l)
{
	size_t i;

	if (!l)
		return;
	for (i = 0; i < l->n_rows; i++)
		free(l->rows[i]);
	for (i = 0; i < l->n_known; i++)
		known_free(l->known[i]);
	for (i = 0; i < l->n_first_names; i++)
		free(l->first_names[i]);
	free(l->rows);
	free(l->known);
	free(l->first_names);
	free(l->prefix);
	image_set_unref(l->set);
	image_file_release(&l->file);
	pthread_cond_destroy(&l->changed);
	pthread_mutex_destroy(&l->lock);
	pthread_mutex_destroy(&l->file_lock);
	free(l);
}

/* SETS. All under the lock. */

/* Adds the image, unless the set has it, and the name, which may be NULL. */
static int set_add(struct image_list *l, struct image_set *s, struct known *k,
		   const char *name)
{
	int rc = 0;

	if (k->is_refused)
		return 0;
	if (k->making != l->n_made) {
		rc = image_set_add(s, k->view, k->image);
		if (rc < 0)
			return rc;
		k->making = l->n_made;
		k->place = s->n - 1;
	}
	return name ? image_set_add_name(s, k->place, name) : 0;
}

static int set_fill(struct image_list *l, struct image_set *s)
{
	int rc = l->first ? set_add(l, s, l->first, NULL) : 0;
	size_t i;

	for (i = 0; rc == 0 && i < l->n_first_names; i++)
		rc = set_add(l, s, l->first, l->first_names[i]);
	for (i = 0; rc == 0 && i < l->n_rows; i++) {
		if (l->rows[i]->known)
			rc = set_add(l, s, l->rows[i]->known, l->rows[i]->name);
	}
	return rc;
}

/* Without memory the old set stays until the next change. */
static void publish(struct image_list *l)
{
	struct image_set *s, *old = l->set;

	if (image_set_new(&s) < 0)
		return;
	l->n_made++;
	if (set_fill(l, s) < 0 || image_set_equal(s, old)) {
		image_set_unref(s);
		return;
	}
	s->generation = old->generation + 1;
	l->set = s;
	image_set_unref(old);
}

/* IMAGES. Under the lock. */

static struct known *find_known(struct image_list *l, const struct image *img)
{
	size_t i;

	for (i = 0; i < l->n_known; i++) {
		if (digest_equal(&l->known[i]->image->manifest_descriptor.digest,
				 &img->manifest_descriptor.digest))
			return l->known[i];
	}
	return NULL;
}

/* Takes @k on success. */
static int add_known(struct image_list *l, struct known *k)
{
	int rc = array_grow(&l->known, l->n_known, sizeof(struct known *));

	if (rc == 0)
		l->known[l->n_known++] = k;
	return rc;
}

/* A new image with a view of its own. It takes image and source on success. */
static int make_known(struct image_list *l, struct image *img,
		      struct image_source *source, struct known **out)
{
	struct view what = {.image_source = source};
	struct known *k = calloc(1, sizeof(*k));
	int rc = -ENOMEM;

	if (!k || array_grow(&l->known, l->n_known, sizeof(struct known *)) < 0)
		goto out;
	what.digest = img->manifest_descriptor.digest;
	what.created = img->has_created ? img->created : 0;
	what.path = strdup("");
	if (what.path)
		rc = images_add(l->images, &what, &k->view);
	if (rc < 0) {
		free(what.path);
		goto out;
	}
	k->image = img;
	k->source = source;
	add_known(l, k);
	*out = k;
out:
	if (rc < 0)
		free(k);
	return rc;
}

/* What a reference led to. */
struct found {
	struct image *image;
	struct image_source *source;
	struct err err;
};

/* Takes what is in @f. */
static int list_found(struct image_list *l, struct row *r, struct found *f)
{
	struct known *k = find_known(l, f->image);
	int rc = 0;

	if (k) {
		image_free(f->image);
		image_source_close(f->source);
	} else {
		rc = make_known(l, f->image, f->source, &k);
	}
	if (rc < 0) {
		image_free(f->image);
		image_source_close(f->source);
		return err_set(&f->err, rc,
			       rc == -ENOSPC ? "too many images" : "out of memory");
	}
	k->is_refused = false;
	r->known = k;
	return 0;
}

/* RESOLVING */

/* Counts, notes and logs a failure that no file in the mount has. */
static void complain(struct image_list *l, int code, const char *why)
{
	if (code == -EINTR || code == -ECANCELED)
		return;
	__atomic_add_fetch(&l->context->failures.n, 1, __ATOMIC_RELAXED);
	context_note(l->context, "", why);
	log_error(l->context->log, "%s", why);
}

static int resolve(const struct image_list *l, const char *name, struct found *out)
{
	const struct context *c = l->context;
	int rc;

	*out = (struct found){.err = {"out of memory"}};
	rc = image_source_open(name, c->client, &out->source, &out->err);
	if (rc == 0)
		rc = image_source_resolve(out->source, &c->options->platform, &out->image,
					  &out->err);
	if (rc == 0)
		rc = image_must_have_files(out->image, &out->err);
	if (rc == 0)
		rc = view_check_platform(c, out->image, &out->err);
	if (rc < 0) {
		image_free(out->image);
		image_source_close(out->source);
	}
	return rc;
}

/* One sentence for each failure, and not the same again. */
static void row_fail(struct image_list *l, struct row *r, int code, const struct err *e)
{
	bool is_named = strstr(e->text, r->name) != NULL;
	struct err full = {""};

	r->delay = r->failed ? 2 * r->delay : RETRY_SECONDS;
	if (r->delay > RETRY_SECONDS_MAX)
		r->delay = RETRY_SECONDS_MAX;
	r->failed_at = clock_seconds();
	r->failed = code;
	err_set(&full, code, "%s%s%s", is_named ? "" : r->name, is_named ? "" : ": ",
		e->text);
	if (strcmp(full.text, r->why) == 0 || code == -EINTR)
		return;
	memcpy(r->why, full.text, sizeof(r->why));
	if (r->line == 0)
		return; /* image_list_add() gives the reason to its caller */
	err_prefix(&full, code, "%s:%u", l->file.path, r->line);
	complain(l, code, full.text);
}

/* Under the lock, which it drops meanwhile. */
static void resolve_row(struct image_list *l, struct row *r)
{
	struct found f;
	int rc;

	r->is_wanted = false;
	r->is_busy = true;
	pthread_mutex_unlock(&l->lock);
	rc = resolve(l, r->name, &f);
	pthread_mutex_lock(&l->lock);
	r->is_busy = false;
	if (rc == 0)
		rc = list_found(l, r, &f);
	if (rc < 0) {
		row_fail(l, r, rc, &f.err);
	} else {
		r->failed = 0;
		r->why[0] = '\0';
		log_info(l->context->log, "%s is listed", r->name);
	}
	if (r->is_gone)
		free(r);
	publish(l);
	pthread_cond_broadcast(&l->changed);
}

static struct row *next_wanted(struct image_list *l)
{
	size_t i;

	for (i = 0; i < l->n_rows; i++) {
		if (l->rows[i]->is_wanted && !l->rows[i]->is_busy)
			return l->rows[i];
	}
	return NULL;
}

static void resolve_rows(void *arg)
{
	struct image_list *l = arg;
	struct row *r;

	pthread_mutex_lock(&l->lock);
	while (!context_is_cancelled(l->context) && (r = next_wanted(l)))
		resolve_row(l, r);
	l->n_threads--;
	pthread_cond_broadcast(&l->changed);
	pthread_mutex_unlock(&l->lock);
}

/* Starts threads for what is wanted. Under the lock. */
static void start_threads(struct image_list *l)
{
	unsigned n = 0;
	size_t i;
	int rc = 0;

	for (i = 0; i < l->n_rows; i++)
		n += l->rows[i]->is_wanted || l->rows[i]->is_busy;
	while (rc == 0 && l->n_threads < n && l->n_threads < RESOLVING_MAX) {
		rc = workers_start(l->images->workers, resolve_rows, l);
		l->n_threads += rc == 0;
	}
	if (rc == 0 || l->n_threads > 0)
		return;
	for (i = 0; i < l->n_rows; i++) {
		struct err e;

		if (!l->rows[i]->is_wanted)
			continue;
		l->rows[i]->is_wanted = false;
		err_set(&e, rc, "cannot start a thread: %s", strerror(-rc));
		row_fail(l, l->rows[i], rc, &e);
	}
}

/* THE FILE */

static struct row *find_row(const struct image_list *l, const char *name)
{
	size_t i;

	for (i = 0; i < l->n_rows; i++) {
		if (strcmp(l->rows[i]->name, name) == 0)
			return l->rows[i];
	}
	return NULL;
}

/* Appends a row for a name that has none; NULL: out of memory. */
static struct row *add_row(struct image_list *l, const char *name)
{
	struct row *r = calloc(1, sizeof(*r));

	if (!r || array_grow(&l->rows, l->n_rows, sizeof(struct row *)) < 0) {
		free(r);
		return NULL;
	}
	snprintf(r->name, sizeof(r->name), "%s", name);
	r->is_wanted = true;
	l->rows[l->n_rows++] = r;
	return r;
}

/* Forgets the rows that neither the file nor a caller wants. */
static void drop_rows(struct image_list *l)
{
	size_t i, n = 0;

	for (i = 0; i < l->n_rows; i++) {
		struct row *r = l->rows[i];

		if (r->line > 0 || r->n_adding > 0)
			l->rows[n++] = r;
		else if (r->is_busy)
			r->is_gone = true; /* its thread frees it */
		else
			free(r);
	}
	l->n_rows = n;
}

static int compare_lines(const void *a, const void *b)
{
	const struct row *x = *(struct row *const *)a, *y = *(struct row *const *)b;

	/* Those of no line come last. */
	return x->line - 1 < y->line - 1 ? -1 : x->line - 1 > y->line - 1;
}

static void log_line(struct image_list *l, unsigned line, int code, struct err *e)
{
	err_prefix(e, code, "%s:%u", l->file.path, line);
	complain(l, code, e->text);
}

/* Makes the rows those of the text, under both locks. */
static void read_rows(struct image_list *l)
{
	struct image_lines it = {
		.text = l->file.text.data, .len = l->file.text.len, .prefix = l->prefix};
	char name[REFERENCE_TEXT_MAX];
	struct reference ref;
	struct err e = {""};
	struct row *r;
	size_t i;
	int rc;

	for (i = 0; i < l->n_rows; i++)
		l->rows[i]->line = 0;
	while ((rc = image_lines_next(&it, &ref, &e)) != 0) {
		if (rc < 0) {
			log_line(l, it.line, rc, &e);
			continue;
		}
		image_lines_name(&ref, name);
		r = find_row(l, name);
		if (r && r->line > 0)
			continue; /* twice in the file */
		if (r && !r->known)
			r->is_wanted = true;
		if (!r)
			r = add_row(l, name);
		if (r)
			r->line = it.line;
	}
	drop_rows(l);
	if (l->n_rows > 0)
		qsort(l->rows, l->n_rows, sizeof(struct row *), compare_lines);
}

static void retry_failed(struct image_list *l)
{
	uint32_t now = clock_seconds();
	size_t i;

	for (i = 0; i < l->n_rows; i++) {
		struct row *r = l->rows[i];

		if (r->failed && !r->known && !r->is_busy &&
		    now - r->failed_at >= r->delay)
			r->is_wanted = true;
	}
}

/* Reads the file if it has changed. */
static void look(struct image_list *l)
{
	struct err e = {""};
	int rc;

	if (!l->has_file)
		return;
	pthread_mutex_lock(&l->file_lock);
	rc = image_file_look(&l->file, &e);
	if (rc < 0 && strcmp(e.text, l->complaint.text) != 0)
		complain(l, rc, e.text);
	l->complaint = e;
	pthread_mutex_lock(&l->lock);
	if (rc == 1)
		read_rows(l);
	retry_failed(l);
	start_threads(l);
	if (rc == 1)
		publish(l);
	pthread_mutex_unlock(&l->lock);
	pthread_mutex_unlock(&l->file_lock);
}

/* WHAT OTHERS ASK FOR */

struct image_set *image_list_get(struct image_list *l)
{
	struct image_set *s;

	look(l);
	pthread_mutex_lock(&l->lock);
	s = image_set_ref(l->set);
	pthread_mutex_unlock(&l->lock);
	return s;
}

static bool is_resolving(const struct image_list *l, const struct row *one)
{
	size_t i;

	if (one)
		return one->is_wanted || one->is_busy;
	for (i = 0; i < l->n_rows; i++) {
		if (l->rows[i]->is_wanted || l->rows[i]->is_busy)
			return true;
	}
	return false;
}

/* Waits for one row, or NULL: for all; until clock_ms() is @until, unless that is 0. */
static int wait_for(struct image_list *l, const struct row *one, int64_t until,
		    struct waiter *w)
{
	const bool *cancelled = waiter_begin(w, NULL);
	int rc = 0;

	pthread_mutex_lock(&l->lock);
	while (rc == 0 && is_resolving(l, one)) {
		if (waiter_is_cancelled(cancelled))
			rc = -EINTR;
		else if (context_is_cancelled(l->context))
			rc = -EIO;
		else if (until && clock_ms() >= until)
			rc = -ETIMEDOUT;
		else
			waiter_pause(&l->changed, &l->lock);
	}
	pthread_mutex_unlock(&l->lock);
	waiter_end(w);
	return rc;
}

int image_list_await(struct image_list *l, struct waiter *w)
{
	look(l);
	return wait_for(l, NULL, 0, w);
}

void image_list_refuse(struct image_list *l, const struct view *v, const char *why)
{
	size_t i;

	pthread_mutex_lock(&l->lock);
	for (i = 0; i < l->n_known; i++) {
		struct known *k = l->known[i];

		if (k->view != v || k->is_refused)
			continue;
		k->is_refused = true;
		log_error(l->context->log, "%s is not listed: %s", k->image->name, why);
		publish(l);
	}
	pthread_mutex_unlock(&l->lock);
}

/* THE MOUNTED IMAGE */

static int add_first_name(struct image_list *l, const char *text)
{
	char name[REFERENCE_TEXT_MAX];
	struct reference ref;
	int rc;

	if (reference_parse(text, &ref, NULL) < 0)
		return 0; /* an archive may have any words there */
	rc = array_grow(&l->first_names, l->n_first_names, sizeof(char *));
	if (rc < 0)
		return rc;
	l->first_names[l->n_first_names] = strdup(image_lines_name(&ref, name));
	if (!l->first_names[l->n_first_names])
		return -ENOMEM;
	l->n_first_names++;
	return 0;
}

/* An archive of `docker save` names its images; other images on disk have no names. */
static int name_first(struct image_list *l, const struct image *img)
{
	char *lines, *rest, *line;
	int rc = 0;

	if (!source_name_is_local(img->name))
		return add_first_name(l, img->name);
	lines = rest = strdup(img->tags ? img->tags : "");
	if (!lines)
		return -ENOMEM;
	while (rc == 0 && (line = strsep(&rest, "\n"))) {
		if (line[0])
			rc = add_first_name(l, line);
	}
	free(lines);
	return rc;
}

static int list_first(struct image_list *l, struct view *v)
{
	struct known *k = calloc(1, sizeof(*k));
	int rc;

	if (!k)
		return -ENOMEM;
	k->view = v;
	k->image = v->image;
	rc = name_first(l, v->image);
	if (rc == 0)
		rc = add_known(l, k);
	if (rc == 0)
		l->first = k;
	else
		free(k);
	return rc;
}

int image_list_begin(struct image_list *l, struct view *first, struct err *e)
{
	int rc = 0;

	if (first) {
		rc = image_must_have_files(first->image, e);
		if (rc < 0)
			return rc;
		pthread_mutex_lock(&l->lock);
		rc = list_first(l, first);
		publish(l);
		pthread_mutex_unlock(&l->lock);
	}
	if (rc < 0)
		return err_set(e, rc, "out of memory");
	look(l);
	rc = wait_for(l, NULL, clock_ms() + BEGIN_MS, NULL);
	return rc == -EIO ? err_set(e, -EINTR, "interrupted") : 0;
}

/* CHANGES TO THE FILE */

static int parse(const struct image_list *l, const char *text, char *name, struct err *e)
{
	struct reference ref;
	int rc;

	if (!l->has_file)
		return err_set(e, -EINVAL,
			       "it was mounted without -o images=FILE, which has the "
			       "list of its images");
	rc = image_lines_parse(text, l->prefix, &ref, e);
	if (rc == 0)
		image_lines_name(&ref, name);
	return rc;
}

/* The row of the name, to be resolved anew, kept until end_adding(). */
static struct row *begin_adding(struct image_list *l, const char *name)
{
	struct row *r;

	pthread_mutex_lock(&l->lock);
	r = find_row(l, name);
	if (!r && l->n_rows < IMAGE_LINES_MAX)
		r = add_row(l, name);
	if (r) {
		r->n_adding++;
		r->is_wanted = true;
		start_threads(l);
	}
	pthread_mutex_unlock(&l->lock);
	return r;
}

/* A row that is in no line is dropped, unless it is added just now. */
static void end_adding(struct image_list *l, struct row *r)
{
	pthread_mutex_lock(&l->lock);
	r->n_adding--;
	drop_rows(l);
	publish(l);
	pthread_mutex_unlock(&l->lock);
}

static int result_of(struct image_list *l, const struct row *r, struct err *e)
{
	int rc;

	pthread_mutex_lock(&l->lock);
	rc = r->failed;
	if (rc < 0)
		err_set(e, rc, "%s", r->why);
	pthread_mutex_unlock(&l->lock);
	return rc;
}

int image_list_add(struct image_list *l, const char *reference, struct waiter *w,
		   struct err *e)
{
	char name[REFERENCE_TEXT_MAX];
	int rc = parse(l, reference, name, e);
	struct row *r;

	if (rc < 0)
		return rc;
	if (w && w->is_impatient)
		return -EINTR;
	look(l);
	r = begin_adding(l, name);
	if (!r)
		return err_set(e, -E2BIG, "%s: there are %d images already", name,
			       IMAGE_LINES_MAX);
	rc = wait_for(l, r, 0, w);
	if (rc == 0)
		rc = result_of(l, r, e);
	else
		err_set(e, rc, "%s: interrupted", name);
	if (rc == 0) {
		pthread_mutex_lock(&l->file_lock);
		rc = image_file_add(&l->file, name, e);
		pthread_mutex_unlock(&l->file_lock);
		look(l);
	}
	end_adding(l, r);
	return rc;
}

int image_list_remove(struct image_list *l, const char *reference, struct err *e)
{
	char name[REFERENCE_TEXT_MAX];
	int rc = parse(l, reference, name, e);

	if (rc < 0)
		return rc;
	pthread_mutex_lock(&l->file_lock);
	rc = image_file_remove(&l->file, name, e);
	pthread_mutex_unlock(&l->file_lock);
	look(l);
	return rc;
}
