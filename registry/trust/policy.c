/* SPDX-License-Identifier: MIT */
#include "registry/trust/policy.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/err.h"
#include "base/home.h"
#include "base/json.h"
#include "registry/config/paths.h"
#include "registry/trust/scope.h"
#include "registry/trust/strict.h"

#define SYSTEM_POLICY "/etc/containers/policy.json"
/* Not under XDG_CONFIG_HOME: the other programs do not look there for this file. */
#define USER_POLICY ".config/containers/policy.json"

/* A ceiling for one list. */
#define REQUIREMENTS_MAX 64

static void scope_release(struct policy_scope *s)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		requirement_release(&s->list[i]);
	free(s->list);
	free(s->transport);
	free(s->name);
}

void policy_release(struct policy *p)
{
	size_t i;

	for (i = 0; i < p->n_scopes; i++)
		scope_release(&p->scopes[i]);
	free(p->scopes);
	*p = (struct policy){0};
}

static int parse_list(const struct json *j, struct policy_scope *s, struct err *e)
{
	size_t i, n = json_count(j);
	int rc = 0;

	if (!j || json_type(j) != JSON_ARRAY || n == 0 || n > REQUIREMENTS_MAX)
		return err_set(e, -EBADMSG, "not a list of 1 to %d requirements",
			       REQUIREMENTS_MAX);
	s->list = calloc(n, sizeof(*s->list));
	if (!s->list)
		return err_set(e, -ENOMEM, "out of memory");
	for (i = 0; i < n && rc == 0; i++) {
		rc = requirement_parse(json_item(j, i), &s->list[i], e);
		s->n += rc == 0;
	}
	return rc;
}

/* @transport is NULL for the default of the file. */
static int add_scope(struct policy *p, const char *transport, const char *name,
		     const struct json *list, struct err *e)
{
	struct policy_scope s = {
		.transport = transport ? strdup(transport) : NULL,
		.name = strdup(name),
	};
	int rc = 0;

	if (!s.name || !s.transport != !transport ||
	    array_grow(&p->scopes, p->n_scopes, sizeof(*p->scopes)) < 0)
		rc = err_set(e, -ENOMEM, "out of memory");
	if (rc == 0 && transport)
		rc = scope_check(transport, name, e);
	if (rc == 0)
		rc = parse_list(list, &s, e);
	if (rc == 0) {
		p->scopes[p->n_scopes++] = s;
		return 0;
	}
	scope_release(&s);
	return !transport
		       ? err_prefix(e, rc, "\"default\"")
		       : err_prefix(e, rc, "scope \"%.200s\" of %.60s", name, transport);
}

static int parse_transport(struct policy *p, const char *transport, const struct json *j,
			   struct err *e)
{
	size_t i;
	int rc = strict_object(j, "a transport", e);

	for (i = 0; i < json_count(j) && rc == 0; i++)
		rc = add_scope(p, transport, json_key(j, i), json_value(j, i), e);
	return rc;
}

static int parse_transports(struct policy *p, const struct json *j, struct err *e)
{
	size_t i;
	int rc = strict_object(j, "\"transports\"", e);

	for (i = 0; i < json_count(j) && rc == 0; i++)
		rc = parse_transport(p, json_key(j, i), json_value(j, i), e);
	return rc;
}

int policy_parse(const void *data, size_t len, struct policy *out, struct err *e)
{
	static const char *const members[] = {"default", "transports", NULL};
	struct policy p = {0};
	struct json *j = NULL;
	int rc = json_parse(data, len, &j, e);

	if (rc == 0)
		rc = strict_members(j, "the policy", members, 1, e);
	if (rc == 0)
		rc = add_scope(&p, NULL, "", json_member(j, "default"), e);
	if (rc == 0 && json_member(j, "transports"))
		rc = parse_transports(&p, json_member(j, "transports"), e);
	json_free(j);
	if (rc < 0)
		policy_release(&p);
	else
		*out = p;
	return rc;
}

struct choice {
	const struct policy *policy;
	const struct subject *subject;
	const struct policy_scope *found;
};

static bool choose(void *arg, const char *name)
{
	struct choice *c = arg;
	size_t i;

	for (i = 0; i < c->policy->n_scopes && !c->found; i++) {
		const struct policy_scope *s = &c->policy->scopes[i];

		if (s->transport && strcmp(s->transport, c->subject->transport) == 0 &&
		    strcmp(s->name, name) == 0)
			c->found = s;
	}
	return c->found != NULL;
}

const struct policy_scope *policy_choose(const struct policy *p, const struct subject *s)
{
	struct choice c = {.policy = p, .subject = s};

	return scope_walk(s, choose, &c) ? c.found : &p->scopes[0];
}

/*
 * A file that cannot be looked at, and a link to nowhere, are there: reading them fails, and
 * that refuses all images.
 */
static bool may_exist(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

int policy_find_file(char **out)
{
	char path[PATH_MAX];
	int rc = paths_join(path, home_dir(), USER_POLICY);

	*out = NULL;
	if (rc < 0)
		return rc;
	if (!may_exist(path) && !may_exist(SYSTEM_POLICY))
		return 0;
	*out = strdup(may_exist(path) ? path : SYSTEM_POLICY);
	return *out ? 0 : -ENOMEM;
}
