/* SPDX-License-Identifier: MIT */
#include "registry/auth/auths.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "registry/config/hosts.h"
#include "registry/http/http.h"
#include "registry/auth/keychain.h"
#include "registry/config/registries.h"

/* Unused ones that are kept: some KiB each, most of it the token. */
#define IDLE_MAX 64
#define BUCKETS	 1024

struct auths {
	struct http *http;
	struct hosts *hosts;
	char *authfile; /* its absolute path */
	struct keychain *keychain;

	pthread_mutex_t lock;		  /* guards all that follows */
	struct lease *buckets[BUCKETS];	  /* by repository */
	struct lease *idle[IDLE_MAX + 1]; /* in the order in which they came back */
	size_t n_idle;
	struct lease *last; /* the newest one; NULL: it was freed */
};

/* The absolute path, because the file is read later, perhaps in another directory. */
static int set_authfile(struct auths *as, const char *authfile, struct err *e)
{
	if (!authfile)
		return 0;
	as->authfile = realpath(authfile, NULL);
	if (!as->authfile || access(as->authfile, R_OK) < 0)
		return err_set(e, -EACCES, "authfile=%s: %s", authfile, strerror(errno));
	return 0;
}

int auths_new(struct http *http, struct hosts *hosts, const char *authfile,
	      struct auths **out, struct err *e)
{
	struct auths *as = calloc(1, sizeof(*as));
	int rc;

	if (!as)
		return err_set(e, -ENOMEM, "out of memory");
	as->http = http;
	as->hosts = hosts;
	pthread_mutex_init(&as->lock, NULL);
	rc = set_authfile(as, authfile, e);
	if (rc == 0)
		rc = keychain_new(&as->keychain, e);
	if (rc < 0) {
		auths_free(as);
		return rc;
	}
	*out = as;
	return 0;
}

static void lease_free(struct lease *l)
{
	auth_free(l->auth);
	free(l->base);
	free(l->repository);
	free(l->host);
	free(l);
}

void auths_free(struct auths *as)
{
	struct lease *l, *next;
	size_t i;

	if (!as)
		return;
	for (i = 0; i < BUCKETS; i++) {
		for (l = as->buckets[i]; l; l = next) {
			next = l->next;
			lease_free(l);
		}
	}
	pthread_mutex_destroy(&as->lock);
	keychain_free(as->keychain);
	free(as->authfile);
	free(as);
}

static struct lease **bucket_of(struct auths *as, const char *repository)
{
	unsigned sum = 5381;

	while (*repository)
		sum = sum * 33 ^ (unsigned char)*repository++;
	return &as->buckets[sum % BUCKETS];
}

static bool lease_is_at(const struct lease *l, const char *base, const char *host)
{
	return strcmp(l->base, base) == 0 && strcmp(l->host, host) == 0;
}

/* Another lease of the same registry, for auth_suppose(). */
static struct lease *lease_like(struct auths *as, const char *base, const char *host)
{
	size_t i;

	if (as->last && lease_is_at(as->last, base, host))
		return as->last;
	for (i = 0; i < as->n_idle; i++) {
		if (lease_is_at(as->idle[i], base, host))
			return as->idle[i];
	}
	return NULL;
}

static int lease_new(struct auths *as, const char *base, const char *repository,
		     const char *host, bool push, struct lease **out, struct err *e)
{
	struct auth_options options = {
		.base = base,
		.repository = repository,
		.push = push,
		.host = host,
		.authfile = as->authfile,
		.keychain = as->keychain,
	};
	const struct registries *conf;
	struct lease *l, *like = push ? NULL : lease_like(as, base, host);
	int rc = hosts_registries(as->hosts, &conf, e);

	if (rc < 0)
		return rc;
	options.helpers = conf->helpers;
	options.n_helpers = conf->n_helpers;
	l = calloc(1, sizeof(*l));
	if (!l)
		return err_set(e, -ENOMEM, "out of memory");
	l->push = push;
	l->base = strdup(base);
	l->repository = strdup(repository);
	l->host = strdup(host);
	if (!l->base || !l->repository || !l->host)
		rc = err_set(e, -ENOMEM, "out of memory");
	else
		rc = auth_new(as->http, &options, &l->auth, e);
	if (rc < 0) {
		lease_free(l);
		return rc;
	}
	if (like)
		auth_suppose(l->auth, like->auth);
	as->last = l;
	*out = l;
	return 0;
}

static void lease_remove_idle(struct auths *as, const struct lease *l)
{
	size_t i = 0;

	while (as->idle[i] != l)
		i++;
	as->n_idle--;
	memmove(&as->idle[i], &as->idle[i + 1], (as->n_idle - i) * sizeof(as->idle[0]));
}

int auths_get(struct auths *as, const char *base, const char *repository,
	      const char *host, bool push, struct lease **out, struct err *e)
{
	struct lease **bucket = bucket_of(as, repository), *l;
	int rc = 0;

	pthread_mutex_lock(&as->lock);
	for (l = *bucket; l; l = l->next) {
		if (strcmp(l->repository, repository) == 0 && l->push == push &&
		    lease_is_at(l, base, host))
			break;
	}
	if (!l) {
		rc = lease_new(as, base, repository, host, push, &l, e);
		if (rc == 0) {
			l->next = *bucket;
			*bucket = l;
		}
	} else if (l->users == 0) {
		lease_remove_idle(as, l);
	}
	if (rc == 0) {
		l->users++;
		*out = l;
	}
	pthread_mutex_unlock(&as->lock);
	return rc;
}

/* Takes the lease that has been idle for longest out of all lists. */
static struct lease *lease_take_oldest(struct auths *as)
{
	struct lease *l = as->idle[0], **at = bucket_of(as, l->repository);

	lease_remove_idle(as, l);
	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	if (as->last == l)
		as->last = NULL;
	return l;
}

void auths_put(struct auths *as, struct lease *l)
{
	struct lease *gone = NULL;

	if (!l)
		return;
	pthread_mutex_lock(&as->lock);
	if (--l->users == 0) {
		as->idle[as->n_idle++] = l;
		if (as->n_idle > IDLE_MAX)
			gone = lease_take_oldest(as);
	}
	pthread_mutex_unlock(&as->lock);
	if (gone)
		lease_free(gone);
}
