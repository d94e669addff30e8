/* SPDX-License-Identifier: MIT */
/*
 * A helper is asked by host. With status 0 it prints JSON with a Secret, which is an
 * identity token if the user is called "<token>". Otherwise it prints a sentence, one
 * of which means that it has no credential. That answer is kept, too; failures are not.
 */
#include "registry/auth/keychain.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/secret.h"
#include "registry/auth/credential.h"
#include "registry/auth/helper.h"

#define ANSWER_MAX     (1u << 20) /* the largest tokens fit */
#define HELPER_SECONDS 30	  /* a helper may ask its user */

struct answer {
	struct answer *next;
	char *suffix, *server;
	bool is_running; /* the helper, for one thread */
	bool is_known;
	struct credential said; /* empty: it has none */
};

/* One answer for each helper and host: as many as are configured. */
struct keychain {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct answer *list;
};

static int parse_answer(const struct buf *answer, const char *program,
			struct credential *out, struct err *e)
{
	struct credential c = {0};
	struct json *j = NULL;
	const char *user, *secret;
	int rc = json_parse(answer->data ? answer->data : "", answer->len, &j, NULL);

	if (rc < 0)
		return err_set(e, -EACCES, "%s: its answer is not JSON", program);
	user = json_member_string(j, "Username");
	secret = json_member_string(j, "Secret");
	if (secret && secret[0] && user && strcmp(user, "<token>") == 0) {
		c.identity_token = strdup(secret);
	} else if (secret && secret[0] && user) {
		c.user = strdup(user);
		c.password = strdup(secret);
	}
	json_free(j);
	if (credential_is_empty(&c)) {
		credential_release(&c);
		return -ENOENT;
	}
	c.origin = strdup(program);
	*out = c;
	return 0;
}

static int run_helper(const char *suffix, const char *server, struct credential *out,
		      struct err *e)
{
	char program[128];
	const char *argv[] = {program, "get", NULL};
	struct buf answer;
	int status = 0, rc;

	/* The name comes from a file, and must not be a path. */
	if (!suffix[0] || strlen(suffix) > 64 || strchr(suffix, '/'))
		return err_set(e, -EACCES, "not the name of a credential helper: %.80s",
			       suffix);
	snprintf(program, sizeof(program), "docker-credential-%s", suffix);
	buf_init(&answer, ANSWER_MAX);
	rc = helper_run(argv, server, HELPER_SECONDS, &answer, &status, e);
	if (rc < 0) {
		rc = -EACCES;
	} else if (status != 0) {
		rc = -ENOENT;
		if (!strstr(buf_text(&answer), "credentials not found"))
			rc = err_set(e, -EACCES, "%s: %.200s", program,
				     answer.len ? buf_text(&answer)
						: "failed without a message");
	} else {
		rc = parse_answer(&answer, program, out, e);
	}
	secret_release(&answer);
	return rc;
}

int keychain_new(struct keychain **out, struct err *e)
{
	struct keychain *k = calloc(1, sizeof(*k));

	if (!k)
		return err_set(e, -ENOMEM, "out of memory");
	pthread_mutex_init(&k->lock, NULL);
	pthread_cond_init(&k->changed, NULL);
	*out = k;
	return 0;
}

static void answer_free(struct answer *a)
{
	credential_release(&a->said);
	free(a->suffix);
	free(a->server);
	free(a);
}

void keychain_free(struct keychain *k)
{
	struct answer *next;

	if (!k)
		return;
	for (; k->list; k->list = next) {
		next = k->list->next;
		answer_free(k->list);
	}
	pthread_mutex_destroy(&k->lock);
	pthread_cond_destroy(&k->changed);
	free(k);
}

/* The answer of this helper for this host, perhaps a new one. NULL: out of memory. */
static struct answer *find_answer(struct keychain *k, const char *suffix,
				  const char *server)
{
	struct answer *a;

	for (a = k->list; a; a = a->next) {
		if (strcmp(a->suffix, suffix) == 0 && strcmp(a->server, server) == 0)
			return a;
	}
	a = calloc(1, sizeof(*a));
	if (!a)
		return NULL;
	a->suffix = strdup(suffix);
	a->server = strdup(server);
	if (!a->suffix || !a->server) {
		answer_free(a);
		return NULL;
	}
	a->next = k->list;
	k->list = a;
	return a;
}

/* The caller has set is_running, so no other thread changes @a. */
static int update_answer(struct keychain *k, struct answer *a, struct err *e)
{
	struct credential said = {0};
	int rc;

	pthread_mutex_unlock(&k->lock);
	rc = run_helper(a->suffix, a->server, &said, e);
	pthread_mutex_lock(&k->lock);
	credential_release(&a->said);
	a->said = said;
	a->is_known = rc == 0 || rc == -ENOENT;
	a->is_running = false;
	pthread_cond_broadcast(&k->changed);
	return rc;
}

int keychain_ask(struct keychain *k, const char *suffix, const char *server, bool anew,
		 struct credential *out, struct err *e)
{
	struct answer *a;
	bool waited;
	int rc = 0;

	pthread_mutex_lock(&k->lock);
	a = find_answer(k, suffix, server);
	waited = a && a->is_running;
	/* A helper has a time limit, so this wait ends, too. */
	while (a && a->is_running)
		pthread_cond_wait(&k->changed, &k->lock);
	if (!a) {
		rc = -ENOMEM;
	} else if (!a->is_known || (anew && !waited)) {
		a->is_running = true;
		rc = update_answer(k, a, e);
	}
	if (rc == 0 && credential_is_empty(&a->said))
		rc = -ENOENT;
	if (rc == 0)
		rc = credential_copy(&a->said, out);
	pthread_mutex_unlock(&k->lock);
	return rc == -ENOMEM ? err_set(e, rc, "out of memory") : rc;
}
