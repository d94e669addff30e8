/* SPDX-License-Identifier: MIT */
#include "fs/mount.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/source.h"
#include "base/store.h"
#include "fs/log.h"
#include "fs/merge.h"
#include "fs/node.h"
#include "fs/ocilayout.h"
#include "fs/options.h"
#include "fs/synthetic.h"
#include "registry/client.h"
#include "registry/origin.h"
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
		store_set_limit(m->store, m->options->cache_size);
		if (m->options->cache == CACHE_INDEX)
			store_keep_no_data(m->store);
		return 0;
	}
	log_warn(m->log, "%s; nothing is kept after this mount", why.text);
	return store_open_private(&m->store, e);
}

int mount_open(struct mount *m, const struct options *options, struct log *log,
	       struct err *e)
{
	struct client_options want = {
		.authfile = options->authfile,
		.cacert = options->cacert,
		.insecure = options->insecure,
		.offline = options->offline,
		.connections = options->connections,
		.timeout = options->timeout,
	};
	int r;

	memset(m, 0, sizeof(*m));
	m->options = options;
	m->log = log;
	m->uid = getuid();
	m->gid = getgid();
	pthread_mutex_init(&m->lock, NULL);
	pthread_mutex_init(&m->snapshot_lock, NULL);
	waiters_init(&m->waiters);
	r = open_store(m, e);
	if (r == 0)
		r = client_new(&want, m->store, &m->client, e);
	if (r == 0) {
		client_on_warning(m->client, on_warning, m);
		r = origin_open(options->source, m->client, &m->origin, e);
	}
	return r;
}

void mount_close(struct mount *m)
{
	size_t i;

	blobs_free(m->blobs);
	synthetic_release(m);
	merge_free(m->view.merge);
	free(m->view.slots);
	for (i = 0; i < m->n_layers; i++)
		layer_free(m->layers[i].layer);
	free(m->layers);
	image_free(m->view.image);
	origin_close(m->origin);
	client_free(m->client);
	store_close(m->store);
	for (i = 0; i < N_SNAPSHOTS; i++)
		free(m->snapshots[i].text);
	waiters_release(&m->waiters);
	pthread_mutex_destroy(&m->snapshot_lock);
	pthread_mutex_destroy(&m->lock);
}

void mount_cancel(struct mount *m)
{
	__atomic_store_n(&m->cancelled, true, __ATOMIC_SEQ_CST);
}

void mount_layer_progress(const struct mount_layer *l, struct layer_progress *out)
{
	if (l->layer)
		layer_progress(l->layer, out);
	else
		*out = (struct layer_progress){.state = LAYER_BROKEN};
}

void mount_progress(struct mount *m, struct mount_progress *out)
{
	struct layer_progress p;
	size_t i;

	memset(out, 0, sizeof(*out));
	pthread_mutex_lock(&m->lock);
	out->is_resolved = m->n_layers > 0;
	out->n_layers = m->n_layers;
	for (i = 0; i < m->n_layers; i++) {
		mount_layer_progress(&m->layers[i], &p);
		out->size += m->layers[i].descriptor->size;
		if (p.state >= LAYER_READY) {
			out->bytes += m->layers[i].descriptor->size;
			out->layers++;
		} else {
			out->bytes += p.blob_done;
		}
	}
	pthread_mutex_unlock(&m->lock);
}

struct mount_layer *mount_slot(struct mount *m, uint32_t slot)
{
	return slot < m->n_layers ? &m->layers[slot] : NULL;
}

int mount_failed(struct mount *m, struct mount_layer *l, int code, const char *why)
{
	unsigned bit = 1u << (-code & 31);

	if (code == -EINTR || code == -ENOMEM)
		return code;
	__atomic_add_fetch(l ? &l->errors : &m->errors, 1, __ATOMIC_RELAXED);
	if (!(__atomic_fetch_or(l ? &l->said : &m->said, bit, __ATOMIC_RELAXED) & bit))
		log_error(m->log, "%s", why);
	return code == -EACCES ? code : -EIO;
}
