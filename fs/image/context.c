/* SPDX-License-Identifier: MIT */
#include "fs/image/context.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/source.h"
#include "base/store/store.h"
#include "fs/options/log.h"
#include "fs/names/namespace.h"
#include "fs/options/options.h"
#include "registry/remote/client.h"
#include "registry/image_source.h"
#include "registry/source_name.h"
#include "tar/layer.h"

static void on_warning(void *arg, const char *sentence)
{
	struct mount *m = arg;

	log_warn(m->log, "%s", sentence);
}

/* A store that cannot be had is a pity, not a failure: then memory serves. */
static int open_store(struct mount *m, struct err *e)
{
	struct err why;

	if (m->options->cache == CACHE_NONE)
		return store_open_private(&m->store, e);
	if (store_open(m->options->cache_dir, &m->store, &why) == 0) {
		store_on_trouble(m->store, on_warning, m);
		store_set_limit(m->store, m->options->cache_size);
		store_set_patience(m->store, m->options->client.timeout);
		if (m->options->cache == CACHE_INDEX)
			store_keep_no_data(m->store);
		return 0;
	}
	log_warn(m->log, "%s; nothing is kept after this mount", why.text);
	return store_open_private(&m->store, e);
}

static int add_first(struct mount *m, struct err *e)
{
	struct view what = {.image_source = m->image_source, .path = strdup("")};
	int rc = what.path ? images_add(m, &what, &m->view) : -ENOMEM;

	if (rc < 0)
		free(what.path);
	return rc < 0 ? err_set(e, rc, "out of memory") : 0;
}

int mount_open(struct mount *m, const struct options *options, struct log *log,
	       struct err *e)
{
	int rc;

	memset(m, 0, sizeof(*m));
	m->options = options;
	m->log = log;
	m->uid = getuid();
	m->gid = getgid();
	layers_init(&m->layers);
	images_init(&m->images);
	lazy_set_init(&m->referrers);
	lazy_set_init(&m->index_blobs);
	lazy_set_init(&m->raw_blobs);
	pthread_mutex_init(&m->snapshot_lock, NULL);
	waiters_init(&m->waiters);
	rc = open_store(m, e);
	if (rc == 0)
		rc = client_new(&options->client, m->store, &m->client, e);
	if (rc == 0) {
		client_on_warning(m->client, on_warning, m);
		rc = source_name_is_namespace(options->source)
			     ? namespace_new(m, options->source, &m->namespace, e)
			     : image_source_open(options->source, m->client,
						 &m->image_source, e);
	}
	if (rc == 0)
		rc = add_first(m, e);
	return rc;
}

void mount_close(struct mount *m)
{
	size_t i;

	images_close(m);
	images_release(&m->images);
	lazy_set_release(&m->referrers);
	lazy_set_release(&m->index_blobs);
	lazy_set_release(&m->raw_blobs);
	layers_release(&m->layers);
	namespace_free(m->namespace);
	image_source_close(m->image_source);
	client_free(m->client);
	store_close(m->store);
	for (i = 0; i < N_SNAPSHOTS; i++)
		free(m->snapshots[i].text);
	waiters_release(&m->waiters);
	pthread_mutex_destroy(&m->snapshot_lock);
}

void mount_cancel(struct mount *m)
{
	__atomic_store_n(&m->cancelled, true, __ATOMIC_SEQ_CST);
}

static size_t count_own(struct mount *m)
{
	size_t n;

	pthread_mutex_lock(&m->images.set.lock);
	n = m->view->n_own;
	pthread_mutex_unlock(&m->images.set.lock);
	return n;
}

void mount_progress(struct mount *m, struct mount_progress *out)
{
	struct layer_progress p;
	size_t i;

	memset(out, 0, sizeof(*out));
	out->n_layers = count_own(m);
	out->is_resolved = out->n_layers > 0;
	for (i = 0; i < out->n_layers; i++) {
		const struct mount_layer *l = m->view->own[i];

		mount_layer_progress(m, l, &p);
		out->size += l->descriptor.size;
		if (p.state >= LAYER_READY) {
			out->bytes += l->descriptor.size;
			out->layers++;
		} else {
			out->bytes += p.blob_done;
		}
	}
}

int mount_errno(int code)
{
	if (code >= 0 || code == -EINTR || code == -ENOMEM || code == -EACCES)
		return code;
	return -EIO;
}

int mount_failed(struct mount *m, struct mount_layer *l, int code, const char *why)
{
	unsigned bit = 1u << (-code & 31);

	if (code == -EINTR || code == -ENOMEM)
		return code;
	__atomic_add_fetch(l ? &l->errors : &m->errors, 1, __ATOMIC_RELAXED);
	if (!(__atomic_fetch_or(l ? &l->said : &m->said, bit, __ATOMIC_RELAXED) & bit))
		log_error(m->log, "%s", why);
	return mount_errno(code);
}
