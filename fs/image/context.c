/* SPDX-License-Identifier: MIT */
#include "fs/image/context.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/control.h"
#include "base/err.h"
#include "base/store/lower.h"
#include "base/store/store.h"
#include "fs/options/log.h"
#include "fs/options/options.h"
#include "registry/remote/client.h"
#include "tar/packed.h"

static void on_warning(void *arg, const char *sentence)
{
	struct context *c = arg;

	log_warn(c->log, "%s", sentence);
}

static int unpack_archive(void *arg, struct source *packed, const char *identity,
			  struct source **out, struct err *e)
{
	struct context *c = arg;

	log_info(c->log,
		 "the archive is compressed; if it is not in the store yet, it is "
		 "read once from end to end");
	return packed_open(c->store, packed, identity, &c->is_cancelled, &c->archive_read,
			   out, e);
}

/* Without a store on disk the mount works from unnamed files. */
static int open_upper_store(struct context *c, struct err *e)
{
	const struct options *o = c->options;
	struct err why;

	if (o->cache == CACHE_NONE)
		return store_open_private(&c->store, e);
	if (store_open(o->cache_dir, &c->store, &why) == 0) {
		store_set_limit(c->store, o->cache_size);
		store_set_patience(c->store, o->client.timeout);
		if (o->cache == CACHE_INDEX)
			store_keep_no_data(c->store);
		return 0;
	}
	log_warn(c->log, "%s; nothing is kept after this mount", why.text);
	return store_open_private(&c->store, e);
}

/* One that cannot be used is no reason to fail. */
static int add_lower_stores(struct context *c, const char *list, struct err *e)
{
	char *dir = NULL;
	struct err why;
	int rc;

	while ((rc = options_next_dir(&list, &dir)) == 1) {
		if (store_add_lower(c->store, dir, &why) < 0)
			log_warn(c->log, "%s; it is not used", why.text);
		free(dir);
	}
	return rc < 0 ? err_set(e, rc, "out of memory") : 0;
}

static int open_store(struct context *c, struct err *e)
{
	int rc = open_upper_store(c, e);

	if (rc < 0)
		return rc;
	store_on_trouble(c->store, on_warning, c);
	if (c->options->copies_lower)
		store_copy_lower(c->store);
	return c->options->lower_cache ? add_lower_stores(c, c->options->lower_cache, e)
				       : 0;
}

int context_open(struct context *c, const struct options *options, struct log *log,
		 const char *mountpoint, struct err *e)
{
	int rc;

	memset(c, 0, sizeof(*c));
	c->options = options;
	c->log = log;
	c->mountpoint = mountpoint;
	c->uid = getuid();
	c->gid = getgid();
	c->archive_helper = (struct archive_helper){
		.unpack = unpack_archive,
		.tell = on_warning,
		.arg = c,
		.read = &c->archive_read,
		.cancelled = &c->is_cancelled,
	};
	waiters_init(&c->waiters);
	pthread_mutex_init(&c->lock, NULL);
	rc = open_store(c, e);
	if (rc == 0)
		rc = client_new(&options->client, c->store, &c->client, e);
	if (rc == 0) {
		client_on_warning(c->client, on_warning, c);
		client_help_archives(c->client, &c->archive_helper);
	}
	return rc;
}

void context_close(struct context *c)
{
	client_free(c->client);
	store_close(c->store);
	waiters_release(&c->waiters);
	pthread_mutex_destroy(&c->lock);
}

void context_cancel(struct context *c)
{
	__atomic_store_n(&c->is_cancelled, true, __ATOMIC_SEQ_CST);
}

void context_end(struct context *c)
{
	context_cancel(c);
	if (c->client)
		client_cancel(c->client);
}

bool context_is_cancelled(const struct context *c)
{
	return __atomic_load_n(&c->is_cancelled, __ATOMIC_SEQ_CST);
}

int context_errno(int code)
{
	if (code >= 0 || code == -EINTR || code == -ENOMEM || code == -EACCES)
		return code;
	return -EIO;
}

void context_note(struct context *c, const char *path, const char *why)
{
	struct failure new = {.time = clock_realtime().tv_sec};
	size_t len = strlen(path), i;

	if (len >= sizeof(new.path))
		path += len - sizeof(new.path) + 1;
	snprintf(new.path, sizeof(new.path), "%s", path);
	snprintf(new.why, sizeof(new.why), "%s", why);
	control_mask(new.path);
	control_mask(new.why);
	pthread_mutex_lock(&c->lock);
	for (i = 0; i < c->n_last; i++) {
		if (strcmp(c->last[i].path, new.path) == 0 &&
		    strcmp(c->last[i].why, new.why) == 0)
			break;
	}
	if (i == c->n_last && i == N_LAST_FAILURES)
		i = 0;
	else if (i == c->n_last)
		c->n_last++;
	memmove(&c->last[i], &c->last[i + 1], (c->n_last - 1 - i) * sizeof(new));
	c->last[c->n_last - 1] = new;
	pthread_mutex_unlock(&c->lock);
}

int context_failed(struct context *c, struct failures *f, const char *path, int code,
		   const char *why)
{
	unsigned bit = 1u << (-code & 31);

	if (code == -EINTR || code == -ENOMEM)
		return code;
	if (!f)
		f = &c->failures;
	__atomic_add_fetch(&f->n, 1, __ATOMIC_RELAXED);
	context_note(c, path, why);
	if (!(__atomic_fetch_or(&f->logged, bit, __ATOMIC_RELAXED) & bit))
		log_error(c->log, "%s", why);
	return context_errno(code);
}
