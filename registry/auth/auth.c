/* SPDX-License-Identifier: MIT */
#include "registry/auth/auth.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/secret.h"
#include "registry/auth/challenge.h"
#include "registry/auth/credentials.h"
#include "registry/auth/token.h"

struct auth {
	struct http *http;
	struct keychain *keychain;
	char *const *helpers;
	size_t n_helpers;
	char *base, *repository, *host, *authfile;
	bool push;

	pthread_mutex_t lock; /* guards all that follows */
	pthread_cond_t changed;
	struct challenge *challenge; /* NULL: none yet */
	bool is_supposed;	     /* the challenge, by auth_suppose() */
	char *value;		     /* of the Authorization field */
	int64_t renew_at;	     /* clock_ms() */
	bool fetching;		     /* one thread is, and it owns what follows */
	struct credential cred;
	bool has_cred;	    /* the credential was looked up */
	bool is_refused;    /* the last value made of it */
	bool is_accepted;   /* the value was, at least once */
	struct err trouble; /* why the lookup failed; "" if it did not */
};

static int out_of_memory(struct err *e)
{
	return err_set(e, -ENOMEM, "out of memory");
}

int auth_new(struct http *http, const struct auth_options *options, struct auth **out,
	     struct err *e)
{
	struct auth *a = calloc(1, sizeof(*a));

	if (!a)
		return out_of_memory(e);
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->changed, NULL);
	a->http = http;
	a->keychain = options->keychain;
	a->helpers = options->helpers;
	a->n_helpers = options->n_helpers;
	a->push = options->push;
	a->base = strdup(options->base);
	a->repository = strdup(options->repository);
	a->host = strdup(options->host);
	a->authfile = options->authfile ? strdup(options->authfile) : NULL;
	if (!a->base || !a->repository || !a->host ||
	    (options->authfile && !a->authfile)) {
		auth_free(a);
		return out_of_memory(e);
	}
	*out = a;
	return 0;
}

void auth_free(struct auth *a)
{
	if (!a)
		return;
	credential_release(&a->cred);
	secret_free(a->value);
	pthread_mutex_destroy(&a->lock);
	pthread_cond_destroy(&a->changed);
	free(a->base);
	free(a->repository);
	free(a->host);
	free(a->authfile);
	free(a->challenge);
	free(a);
}

/* Making the value: by the thread that has set a->fetching */

/* True if the credential has changed. */
static bool look_up_credential(struct auth *a)
{
	const struct credential_query q = {
		.host = a->host,
		.path = a->repository,
		.authfile = a->authfile,
		.keychain = a->keychain,
		.helpers = a->helpers,
		.n_helpers = a->n_helpers,
		.anew = a->has_cred,
	};
	struct credential now = {0};
	bool changed;

	a->trouble.text[0] = '\0';
	if (credentials_find(&q, &now, &a->trouble) == 0)
		a->trouble.text[0] = '\0';
	changed = !credential_equal(&now, &a->cred);
	credential_release(&a->cred);
	a->cred = now;
	a->has_cred = true;
	return changed;
}

static int password_missing(const struct auth *a, struct err *e)
{
	return err_set(
		e, -EACCES,
		"%s wants a user and a password: log in with `docker login` or `podman "
		"login`, or name the file that holds them with -o authfile=",
		a->host);
}

static int password_refused(const struct auth *a, struct err *e)
{
	return err_set(e, -EACCES,
		       "%s refuses the user and password from %s: log in again", a->host,
		       a->cred.origin ? a->cred.origin : "a file or helper");
}

/* A refusal names the place of the credential, for there may be several with one each. */
static int value_fetch(const struct token_request *tr, int64_t until, struct token *out,
		       struct err *e)
{
	int rc = token_fetch(tr, until, out, e);

	if (rc == -EACCES && tr->cred->origin)
		err_prefix(e, rc, "the credentials from %s", tr->cred->origin);
	return rc;
}

static int value_try(struct auth *a, const struct challenge *c,
		     const struct auth_tls *tls, int64_t until, struct token *out,
		     struct err *e)
{
	const struct token_request tr = {
		.http = a->http,
		.base = a->base,
		.challenge = c,
		.cred = &a->cred,
		.tls = tls,
	};

	if (a->is_refused && (a->cred.registry_token || c->scheme == CHALLENGE_BASIC))
		return password_refused(a, e);
	if (a->cred.registry_token)
		return token_bearer(a->cred.registry_token, TOKEN_SECONDS_MAX, out) < 0
			       ? out_of_memory(e)
			       : 0;
	if (c->scheme == CHALLENGE_BEARER)
		return value_fetch(&tr, until, out, e);
	if (!a->cred.user || !a->cred.password)
		return password_missing(a, e);
	return token_basic(&a->cred, out) < 0 ? out_of_memory(e) : 0;
}

static int value_make(struct auth *a, const struct challenge *c,
		      const struct auth_tls *tls, int64_t until, struct token *out,
		      struct err *e)
{
	bool is_first = !a->has_cred;
	int rc;

	if (is_first)
		look_up_credential(a);
	rc = value_try(a, c, tls, until, out, e);
	/* A helper's credential may have a short life: it is asked again, once. */
	if (rc == -EACCES && !is_first && look_up_credential(a)) {
		a->is_refused = false;
		rc = value_try(a, c, tls, until, out, e);
	}
	if (rc == -EACCES && a->trouble.text[0])
		err_prefix(e, rc, "%s", a->trouble.text);
	return rc;
}

static int value_copy(const char *value, char **out, struct err *e)
{
	*out = strdup(value);
	return *out ? 0 : out_of_memory(e);
}

static void scope_of(const struct auth *a, char scope[CHALLENGE_SCOPE_MAX])
{
	if (!a->repository[0])
		strcpy(scope, "registry:catalog:*");
	else /* A name is 255 characters at most. */
		snprintf(scope, CHALLENGE_SCOPE_MAX, "repository:%.1024s:pull%s",
			 a->repository, a->push ? ",push" : "");
}

static struct challenge *challenge_copy(const struct challenge *c)
{
	struct challenge *copy = malloc(sizeof(*copy));

	if (copy)
		*copy = *c;
	return copy;
}

/* Bearer only: a password is not sent to a server that has not asked for it. */
void auth_suppose(struct auth *a, struct auth *other)
{
	char scope[CHALLENGE_SCOPE_MAX];

	scope_of(other, scope);
	pthread_mutex_lock(&other->lock);
	if (other->challenge && other->challenge->scheme == CHALLENGE_BEARER &&
	    !other->is_supposed && strcmp(other->challenge->scope, scope) == 0 &&
	    a->repository[0])
		a->challenge = challenge_copy(other->challenge);
	pthread_mutex_unlock(&other->lock);
	if (!a->challenge)
		return;
	scope_of(a, a->challenge->scope);
	a->is_supposed = true;
}

int auth_get(struct auth *a, const struct auth_tls *tls, int64_t until, char **out,
	     struct err *e)
{
	struct token token = {0};
	struct challenge c;
	int rc = 0;

	*out = NULL;
	pthread_mutex_lock(&a->lock);
	/* The thread that fetches has a deadline, so this wait ends, too. */
	while (a->fetching)
		pthread_cond_wait(&a->changed, &a->lock);
	if (a->value && clock_ms() < a->renew_at) {
		rc = value_copy(a->value, out, e);
	} else if (a->challenge) {
		a->fetching = true;
		c = *a->challenge;
		pthread_mutex_unlock(&a->lock);
		rc = value_make(a, &c, tls, until, &token, e);
		pthread_mutex_lock(&a->lock);
		a->fetching = false;
		if (rc < 0 && a->is_supposed) {
			/* The assumption was wrong: wait for the registry's challenge. */
			free(a->challenge);
			a->challenge = NULL;
			rc = 0;
		}
		a->is_supposed = false;
		secret_free(a->value);
		a->value = token.value;
		/* The last tenth of its life is for requests that are on their way. */
		a->renew_at = clock_ms() + token.seconds * 900;
		if (rc == 0 && a->value)
			rc = value_copy(a->value, out, e);
		pthread_cond_broadcast(&a->changed);
	}
	pthread_mutex_unlock(&a->lock);
	return rc;
}

/* Called with the lock: the value was refused. */
static void drop_value(struct auth *a)
{
	a->is_refused = a->value &&
			(a->cred.registry_token || strncmp(a->value, "Basic ", 6) == 0);
	a->is_accepted = false;
	secret_free(a->value);
	a->value = NULL;
}

void auth_accepted(struct auth *a, const char *used)
{
	pthread_mutex_lock(&a->lock);
	a->is_accepted |= used && a->value && strcmp(used, a->value) == 0;
	pthread_mutex_unlock(&a->lock);
}

bool auth_renew(struct auth *a, const char *used)
{
	bool is_new = false;

	pthread_mutex_lock(&a->lock);
	while (a->fetching)
		pthread_cond_wait(&a->changed, &a->lock);
	if (a->challenge && a->value && strcmp(used, a->value) != 0) {
		is_new = true;
	} else if (a->challenge && a->value && a->is_accepted) {
		drop_value(a);
		is_new = true;
	}
	pthread_mutex_unlock(&a->lock);
	return is_new;
}

int auth_refused(struct auth *a, const char *used, const char *challenge)
{
	struct challenge c, *copy;
	int rc = challenge ? challenge_choose(challenge, &c) : -ENOENT;

	if (rc < 0)
		return rc;
	/*
	 * A scope that names no repository is as good as none. One token is for all requests,
	 * so it may push although the registry asks for less to answer this one.
	 */
	if (!c.scope[0] || strncmp(c.scope, "repository::", 12) == 0 ||
	    (a->push && !strstr(c.scope, "push")))
		scope_of(a, c.scope);
	copy = challenge_copy(&c);
	if (!copy)
		return -ENOMEM;
	pthread_mutex_lock(&a->lock);
	while (a->fetching)
		pthread_cond_wait(&a->changed, &a->lock);
	/* Otherwise the value was renewed after the request was sent. */
	if (!a->value || (used && strcmp(used, a->value) == 0)) {
		drop_value(a);
		free(a->challenge);
		a->challenge = copy;
		copy = NULL;
	}
	pthread_mutex_unlock(&a->lock);
	free(copy);
	return 0;
}
