/* SPDX-License-Identifier: MIT */
/*
 * The lock is never held during a request to a registry. Threads take wanted rows until there
 * are none.
 */
#include "fs/image/image_list.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/jsonwrite.h"
#include "fs/image/context.h"
#include "fs/image/image_file.h"
#include "fs/image/image_rows.h"
#include "fs/image/images.h"
#include "fs/image/waiters.h"
#include "fs/image/workers.h"
#include "fs/options/log.h"
#include "fs/options/options.h"
#include "registry/image_source.h"

/* References that are resolved at one time: as many as a registry likes to serve. */
#define RESOLVING_MAX 8
/* A registry that is silent must not stop a machine's start. */
#define BEGIN_MS 10000

struct image_list {
	struct images *images;
	struct context *context;
	char *prefix;
	bool has_file;
	void (*check)(void *arg); /* NULL: none */
	void *check_arg;
	pthread_mutex_t file_lock; /* taken before the other */
	struct image_file file;	   /* under file_lock */
	struct err complaint;	   /* the same: the last one about the file as a whole */

	pthread_mutex_t lock;
	pthread_cond_t changed; /* a row is resolved */
	struct image_rows rows; /* under lock */
	unsigned n_threads;	/* under lock */
};

/* LIFE */

int image_list_new(struct images *images, const char *prefix, const char *file,
		   struct image_list **out, struct err *e)
{
	struct image_list *l = calloc(1, sizeof(*l));
	int rc;

	if (!l)
		return err_set(e, -ENOMEM, "out of memory");
	l->images = images;
	l->context = images->context;
	pthread_mutex_init(&l->file_lock, NULL);
	pthread_mutex_init(&l->lock, NULL);
	clock_cond_init(&l->changed);
	l->has_file = file != NULL;
	l->prefix = strdup(prefix);
	rc = image_rows_init(&l->rows);
	if (rc < 0 || !l->prefix)
		rc = err_set(e, -ENOMEM, "out of memory");
	if (rc == 0 && file)
		rc = image_file_init(&l->file, file, e);
	if (rc < 0)
		image_list_free(l);
	else
		*out = l;
	return rc;
}

void image_list_free(struct image_list *l)
{
	if (!l)
		return;
	image_rows_release(&l->rows);
	image_file_release(&l->file);
	free(l->prefix);
	pthread_cond_destroy(&l->changed);
	pthread_mutex_destroy(&l->lock);
	pthread_mutex_destroy(&l->file_lock);
	free(l);
}

/* Counts, notes and logs a failure that no file in the mount has. */
static void complain(struct image_list *l, int code, const char *why)
{
	if (code == -EINTR || code == -ECANCELED)
		return;
	__atomic_add_fetch(&l->context->failures.n, 1, __ATOMIC_RELAXED);
	context_note(l->context, "", why);
	log_error(l->context->log, "%s", why);
}

/* RESOLVING */

/* What a reference led to. */
struct found {
	struct image *image;
	struct image_source *source;
	struct err err;
};

static void found_release(struct found *f)
{
	image_free(f->image);
	image_source_close(f->source);
}

static int resolve(const struct context *c, const char *name, struct found *out)
{
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
	if (rc < 0)
		found_release(out);
	return rc;
}

/* One sentence for each failure, and not the same again. */
static void fail_row(struct image_list *l, struct image_row *r, int code, struct err *e)
{
	/* Whoever adds a reference gets the reason: it is in no line. */
	if (!image_row_fail(r, code, e) || r->line == 0)
		return;
	err_set(e, code, "%s:%u: %s", l->file.path, r->line, r->why);
	complain(l, code, e->text);
}

/* Under the lock, which it drops meanwhile. */
static void resolve_row(struct image_list *l, struct image_row *r)
{
	struct found f;
	int rc;

	r->is_wanted = false;
	r->is_busy = true;
	pthread_mutex_unlock(&l->lock);
	rc = resolve(l->context, r->name, &f);
	pthread_mutex_lock(&l->lock);
	r->is_busy = false;
	if (rc == 0) {
		rc = image_rows_found(&l->rows, r, l->images, f.image, f.source);
		if (rc < 0) {
			found_release(&f);
			err_set(&f.err, rc, "%s", strerror(-rc));
		}
	}
	if (rc == 0)
		log_info(l->context->log, "%s is listed", r->name);
	else
		fail_row(l, r, rc, &f.err);
	if (r->is_gone)
		free(r);
	image_rows_publish(&l->rows);
	pthread_cond_broadcast(&l->changed);
}

static struct image_row *next_wanted(const struct image_list *l)
{
	size_t i;

	for (i = 0; i < l->rows.n; i++) {
		struct image_row *r = l->rows.rows[i];

		if (r->is_wanted && !r->is_busy)
			return r;
	}
	return NULL;
}

static void resolve_rows(void *arg)
{
	struct image_list *l = arg;
	struct image_row *r;

	pthread_mutex_lock(&l->lock);
	while (!context_is_cancelled(l->context) && (r = next_wanted(l)))
		resolve_row(l, r);
	l->n_threads--;
	pthread_cond_broadcast(&l->changed);
	pthread_mutex_unlock(&l->lock);
}

/* Nobody is to wait for what no thread will do. Under the lock. */
static void give_up(struct image_list *l, int code)
{
	struct image_row *r;
	struct err e;

	while ((r = next_wanted(l))) {
		r->is_wanted = false;
		err_set(&e, code, "cannot start a thread: %s", strerror(-code));
		fail_row(l, r, code, &e);
	}
	pthread_cond_broadcast(&l->changed);
}

/* Starts threads for what is wanted. Under the lock. */
static void start_threads(struct image_list *l)
{
	unsigned n = 0;
	size_t i;
	int rc = 0;

	for (i = 0; i < l->rows.n; i++)
		n += l->rows.rows[i]->is_wanted || l->rows.rows[i]->is_busy;
	while (rc == 0 && l->n_threads < n && l->n_threads < RESOLVING_MAX) {
		rc = workers_start(l->images->workers, resolve_rows, l);
		l->n_threads += rc == 0;
	}
	if (rc < 0 && l->n_threads == 0)
		give_up(l, rc);
}

/* THE FILE */

static void complain_of_line(void *arg, unsigned line, int code, struct err *e)
{
	struct image_list *l = arg;

	err_prefix(e, code, "%s:%u", l->file.path, line);
	complain(l, code, e->text);
}

/* Under file_lock: reads the file if it has changed. */
static void look_locked(struct image_list *l)
{
	struct err e = {""};
	int rc = image_file_look(&l->file, &e);

	if (rc < 0 && strcmp(e.text, l->complaint.text) != 0)
		complain(l, rc, e.text);
	l->complaint = e;
	pthread_mutex_lock(&l->lock);
	if (rc == 1) {
		image_rows_read(&l->rows, &l->file.text, l->prefix, complain_of_line, l);
		image_rows_publish(&l->rows);
	}
	image_rows_retry(&l->rows);
	start_threads(l);
	pthread_mutex_unlock(&l->lock);
}

static void look(struct image_list *l)
{
	if (!l->has_file)
		return;
	pthread_mutex_lock(&l->file_lock);
	look_locked(l);
	pthread_mutex_unlock(&l->file_lock);
}

/*
 * The same, unless another thread looks at this moment. It may wait long, for a file server, or
 * for this one, if the path leads into the mount itself.
 */
static void glance(struct image_list *l)
{
	if (!l->has_file || pthread_mutex_trylock(&l->file_lock) != 0)
		return;
	look_locked(l);
	pthread_mutex_unlock(&l->file_lock);
}

/* WHAT OTHERS ASK FOR */

struct image_set *image_list_get(struct image_list *l)
{
	struct image_set *s;

	glance(l);
	pthread_mutex_lock(&l->lock);
	s = image_set_ref(l->rows.set);
	pthread_mutex_unlock(&l->lock);
	return s;
}

/* Under the lock. @one: NULL for all rows. */
static bool is_resolving(const struct image_list *l, const struct image_row *one)
{
	size_t i;

	if (one)
		return one->is_wanted || one->is_busy;
	for (i = 0; i < l->rows.n; i++) {
		if (l->rows.rows[i]->is_wanted || l->rows.rows[i]->is_busy)
			return true;
	}
	return false;
}

/* Until clock_ms() is @until, unless that is 0. */
static int wait_for(struct image_list *l, const struct image_row *one, int64_t until,
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

int image_list_begin(struct image_list *l, struct view *first, struct err *e)
{
	int rc = first ? image_must_have_files(first->image, e) : 0;

	if (rc < 0)
		return rc;
	pthread_mutex_lock(&l->lock);
	if (first)
		rc = image_rows_begin(&l->rows, first);
	image_rows_publish(&l->rows);
	pthread_mutex_unlock(&l->lock);
	if (rc < 0)
		return err_set(e, rc, "out of memory");
	look(l);
	rc = wait_for(l, NULL, clock_ms() + BEGIN_MS, NULL);
	return rc == -EIO ? err_set(e, -EINTR, "interrupted") : 0;
}

void image_list_refuse(struct image_list *l, const struct view *v, const char *why)
{
	const struct image *img;
	struct err e;

	pthread_mutex_lock(&l->lock);
	img = image_rows_refuse(&l->rows, v, why);
	if (img) {
		err_set(&e, -EIO, "%s is not listed: %s", img->name, why);
		complain(l, -EIO, e.text);
		image_rows_publish(&l->rows);
	}
	pthread_mutex_unlock(&l->lock);
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
static struct image_row *begin_adding(struct image_list *l, const char *name)
{
	struct image_row *r;

	pthread_mutex_lock(&l->lock);
	r = image_rows_find(&l->rows, name);
	if (!r && l->rows.n < IMAGE_LINES_MAX)
		r = image_rows_add(&l->rows, name);
	if (r) {
		r->n_adding++;
		r->is_wanted = true;
		start_threads(l);
	}
	pthread_mutex_unlock(&l->lock);
	return r;
}

/* A row that is in no line is dropped, unless another call adds it just now. */
static void end_adding(struct image_list *l, struct image_row *r)
{
	pthread_mutex_lock(&l->lock);
	r->n_adding--;
	image_rows_drop(&l->rows);
	image_rows_publish(&l->rows);
	pthread_mutex_unlock(&l->lock);
}

void image_list_set_check(struct image_list *l, void (*check)(void *arg), void *arg)
{
	l->check = check;
	l->check_arg = arg;
}

static int result_of(struct image_list *l, const struct image_row *r, struct err *e)
{
	int rc;

	if (l->check)
		l->check(l->check_arg);
	pthread_mutex_lock(&l->lock);
	rc = r->failed;
	if (rc < 0)
		err_set(e, rc, "%s", r->why);
	else if (r->known && r->known->is_refused)
		rc = err_set(e, -EEXIST, "%s: %s", r->name, r->known->why);
	pthread_mutex_unlock(&l->lock);
	return rc;
}

static int write_line(struct image_list *l, const char *name, struct err *e)
{
	int rc;

	pthread_mutex_lock(&l->file_lock);
	rc = image_file_add(&l->file, name, e);
	pthread_mutex_unlock(&l->file_lock);
	look(l);
	return rc;
}

int image_list_add(struct image_list *l, const char *reference, struct waiter *w,
		   struct err *e)
{
	char name[REFERENCE_TEXT_MAX];
	int rc = parse(l, reference, name, e);
	struct image_row *r;

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
	if (rc < 0)
		err_set(e, rc, "%s: interrupted", name);
	if (rc == 0)
		rc = result_of(l, r, e);
	if (rc == 0)
		rc = write_line(l, name, e);
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

/* THE STATUS */

static const char *row_state(const struct image_row *r)
{
	if (r->known)
		return r->known->is_refused ? "refused" : "listed";
	return r->failed && !r->is_busy && !r->is_wanted ? "failed" : "resolving";
}

static void render_row(struct jsonwrite *w, const struct image_row *r)
{
	char digest[DIGEST_TEXT_MAX] = "";

	if (r->known)
		digest_format(&r->known->image->manifest_descriptor.digest, digest);
	jsonwrite_open(w, '{');
	jsonwrite_member(w, "name", r->name);
	jsonwrite_member(w, "state", row_state(r));
	jsonwrite_member(w, "manifest", digest);
	jsonwrite_member(w, "error",
			 r->known && r->known->is_refused ? r->known->why : r->why);
	jsonwrite_close(w, '}');
}

void image_list_render(struct image_list *l, struct jsonwrite *w)
{
	size_t i;

	jsonwrite_open(w, '{');
	jsonwrite_member(w, "file", l->has_file ? l->file.path : "");
	jsonwrite_key(w, "images");
	jsonwrite_open(w, '[');
	pthread_mutex_lock(&l->lock);
	for (i = 0; i < l->rows.n; i++)
		render_row(w, l->rows.rows[i]);
	pthread_mutex_unlock(&l->lock);
	jsonwrite_close(w, ']');
	jsonwrite_close(w, '}');
}
