/* SPDX-License-Identifier: MIT */
#include "registry/auths.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "registry/hosts.h"
#include "registry/http.h"
#include "registry/keychain.h"
#include "registry/registries.h"

/* Kept though nobody uses them: some KiB each, most of it token. */
#define IDLE_MAX 64

struct lent {
	struct lent *next;
	char *base, *repository, *host;
	struct auth *auth;
	unsigned users;
	uint64_t turn; /* when it was given back last; the least goes first */
};

struct auths {
	struct http *http;
	struct hosts *hosts;
	char *authfile; /* its absolute path */
	struct keychain *keychain;

	pthread_mutex_t lock; /* guards all that follows */
	struct lent *list;
	unsigned n_idle;
	uint64_t turns;
};

/* It is read when it is needed, perhaps long after and from another directory. */
static int take_authfile(struct auths *as, const char *authfile, struct err *e)
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
	rc = take_authfile(as, authfile, e);
	if (rc == 0)
		rc = keychain_new(&as->keychain, e);
	if (rc < 0) {
		auths_free(as);
		return rc;
	}
	*out = as;
	return 0;
}

static void lent_free(struct lent *l)
{
	auth_free(l->auth);
	free(l->base);
	free(l->repository);
	free(l->host);
	free(l);
}

void auths_free(struct auths *as)
{
	struct lent *next;

	if (!as)
		return;
	for (; as->list; as->list = next) {
		next = as->list->next;
		lent_free(as->list);
	}
	pthread_mutex_destroy(&as->lock);
	keychain_free(as->keychain);
	free(as->authfile);
	free(as);
}

static struct lent *find(struct auths *as, const char *base, const char *repository,
			 const char *host)
{
	struct lent *l;

	for (l = as->list; l; l = l->next) {
		if (!strcmp(l->repository, repository) && !strcmp(l->base, base) &&
		    !strcmp(l->host, host))
			break;
	}
	return l;
}

static struct lent *make(struct auths *as, const char *base, const char *repository,
			 const char *host, struct err *e)
{
	struct auth_options options = {
		.base = base,
		.repository = repository,
		.host = host,
		.authfile = as->authfile,
		.keychain = as->keychain,
	};
	const struct registries *conf;
	struct lent *l, *other;

	if (hosts_registries(as->hosts, &conf, e) < 0)
		return NULL;
	options.helpers = conf->helpers;
	options.n_helpers = conf->n_helpers;
	l = calloc(1, sizeof(*l));
	if (!l)
		return NULL;
	l->base = strdup(base);
	l->repository = strdup(repository);
	l->host = strdup(host);
	if (!l->base || !l->repository || !l->host ||
	    auth_new(as->http, &options, &l->auth, e) < 0) {
		lent_free(l);
		return NULL;
	}
	for (other = as->list; other; other = other->next) {
		if (!strcmp(other->base, base) && !strcmp(other->host, host)) {
			auth_suppose(l->auth, other->auth);
			break;
		}
	}
	l->next = as->list;
	as->list = l;
	return l;
}

int auths_get(struct auths *as, const char *base, const char *repository,
	      const char *host, struct auth **out, struct err *e)
{
	struct lent *l;

	pthread_mutex_lock(&as->lock);
	l = find(as, base, repository, host);
	if (l && l->users == 0)
		as->n_idle--;
	if (!l)
		l = make(as, base, repository, host, e);
	if (l) {
		l->users++;
		*out = l->auth;
	}
	pthread_mutex_unlock(&as->lock);
	return l ? 0 : err_set(e, -ENOMEM, "out of memory");
}

/* Takes the one that has been idle for longest out of the list. */
static struct lent *take_oldest(struct auths *as)
{
	struct lent **at, **oldest = NULL, *l;

	for (at = &as->list; *at; at = &(*at)->next) {
		if ((*at)->users == 0 && (!oldest || (*at)->turn < (*oldest)->turn))
			oldest = at;
	}
	l = *oldest;
	*oldest = l->next;
	as->n_idle--;
	return l;
}

void auths_put(struct auths *as, struct auth *a)
{
	struct lent *l, *gone = NULL;

	if (!a)
		return;
	pthread_mutex_lock(&as->lock);
	for (l = as->list; l->auth != a; l = l->next)
		;
	l->turn = ++as->turns;
	if (--l->users == 0 && ++as->n_idle > IDLE_MAX)
		gone = take_oldest(as);
	pthread_mutex_unlock(&as->lock);
	if (gone)
		lent_free(gone);
}
