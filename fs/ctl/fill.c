/* SPDX-License-Identifier: MIT */
/* A thread loads, and this one draws the bar. */
#include "fs/ctl/fill.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/store/store.h"
#include "fs/ctl/ctl.h"
#include "fs/ctl/reader.h"
#include "fs/ctl/words.h"
#include "fs/image/layers.h"
#include "fs/image/progress.h"
#include "registry/image/image.h"
#include "tar/index/index.h"
#include "tar/layer.h"

#define TICK_MS 100

struct filling {
	const struct fill *fill;
	struct reader reader;
	uint64_t *read; /* atomic: decoded bytes of each of the view's own layers */
	size_t n_read;	/* atomic: 0 until `read` is there */
	int result;
	struct err err;
};

static const struct layer_list *own_layers(const struct filling *f)
{
	return &f->reader.mount.images.first->layers;
}

/* How far it is: what is streamed is stored at once, the rest when it is read. */
static void measure(void *arg, const struct view *v, struct bar_state *out)
{
	const struct filling *f = arg;
	size_t i, n = f->fill->index_only ? 0
					  : __atomic_load_n(&f->n_read, __ATOMIC_ACQUIRE);

	view_progress(v, out);
	if (n == 0)
		return;
	out->bytes = 0;
	out->layers = 0;
	for (i = 0; i < n; i++) {
		const struct mount_layer *l = v->layers.own[i];
		uint64_t size = l->descriptor.size;
		uint64_t done = __atomic_load_n(&f->read[i], __ATOMIC_RELAXED);
		struct layer_progress p;

		mount_layer_progress(l, &p);
		out->layers += done >= p.decoded;
		out->bytes += done >= p.decoded
				      ? size
				      : (uint64_t)((double)done / (double)p.decoded *
						   (double)size);
	}
}

/* The bytes need not be shown: what is asked for is in the store then. */
static int read_layer(struct layer *l, uint64_t *done, struct err *e)
{
	uint64_t off = 0, end = index_info(layer_index(l))->decoded_size;
	struct layer_data data;
	int rc = 0;

	while (rc == 0 && off < end) {
		size_t n = end - off < READER_PART ? (size_t)(end - off) : READER_PART;

		rc = layer_get(l, off, &n, NULL, &data, e);
		if (rc == 0) {
			layer_unget(l, &data);
			off += n;
			__atomic_store_n(done, off, __ATOMIC_RELAXED);
		}
	}
	return rc;
}

static int read_layers(struct filling *f)
{
	const struct layer_list *list = own_layers(f);
	size_t i, n = layer_list_count(list);
	int rc = 0;

	f->read = calloc(n + 1, sizeof(*f->read));
	if (!f->read)
		return err_set(&f->err, -ENOMEM, "out of memory");
	__atomic_store_n(&f->n_read, n, __ATOMIC_RELEASE);
	for (i = 0; rc == 0 && i < n; i++) {
		if (list->own[i]->layer && list->own[i]->loaded == 0)
			rc = read_layer(list->own[i]->layer, &f->read[i], &f->err);
	}
	return rc;
}

static void *run_filling(void *arg)
{
	struct filling *f = arg;

	f->result = mount_load_tree(&f->reader.mount, &f->err);
	if (f->result == 0 && !f->fill->index_only)
		f->result = read_layers(f);
	return NULL;
}

static bool has_ended(pthread_t thread)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += TICK_MS * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_nsec -= 1000000000L;
		until.tv_sec++;
	}
	return pthread_timedjoin_np(thread, NULL, &until) == 0;
}

/* 0, or a negative errno and a sentence in f->err. */
static int run_with_bar(struct filling *f)
{
	struct progress progress;
	pthread_t thread;
	int rc = pthread_create(&thread, NULL, run_filling, f);

	if (rc != 0)
		return err_set(&f->err, -rc, "cannot start a thread: %s", strerror(rc));
	progress_init(&progress, &f->reader.mount.images, &f->reader.log);
	progress.measure = measure;
	progress.arg = f;
	if (progress.is_terminal)
		bar_wipe_at_signals();
	while (!has_ended(thread))
		progress_draw(&progress);
	progress_wipe(&progress);
	return f->result;
}

/* Whether the store took everything. */
static int check_store(const struct filling *f, struct err *e)
{
	const struct store *s = f->reader.mount.context.store;
	const struct view *v = f->reader.mount.images.first;

	if (!store_dir(s))
		return err_set(e, -EACCES, "%s: nothing is kept", v->image->name);
	if (v->totals.n_broken > 0)
		return err_set(e, -EBADMSG, "%s: layers are broken", v->image->name);
	return store_trouble(s, e);
}

static int fill_image(const struct fill *fill, const char *source)
{
	struct filling f = {.fill = fill, .err = {"out of memory"}};
	struct layer_sums sums;
	size_t n;
	int rc = reader_options(&f.reader, fill->words, source, &f.err), status = 0;

	if (rc == 0 && fill->prepare)
		rc = fill->prepare(fill->arg, &f.reader.options, &f.err);
	if (rc == 0)
		rc = reader_start(&f.reader, &f.err);
	if (rc == 0) {
		f.reader.log.on_error =
			NULL; /* each broken layer has a message of its own */
		rc = run_with_bar(&f);
	}
	if (rc == 0)
		rc = check_store(&f, &f.err);
	if (rc < 0) {
		status = ctl_error("%s", f.err.text);
	} else {
		layers_sum(&f.reader.mount.layers, &sums);
		n = layer_list_count(own_layers(&f));
		ctl_print("%s  %zu layer%s  %.1f MiB fetched",
			  f.reader.mount.images.first->image->name, n, n == 1 ? "" : "s",
			  (double)sums.fetched / (1 << 20));
		ctl_flush();
	}
	reader_close(&f.reader);
	free(f.read);
	return status;
}

int fill_images(const struct fill *f)
{
	int status = 0;
	size_t i;

	reader_prepare();
	for (i = f->first; i < f->words->n_operands; i++)
		status |= fill_image(f, f->words->operands[i]);
	return status;
}
