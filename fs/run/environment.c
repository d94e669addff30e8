/* SPDX-License-Identifier: MIT */
#include "fs/run/environment.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static int add_all(struct strings *out, char *const *items)
{
	int rc = 0;

	for (; rc == 0 && items && *items; items++)
		rc = strings_add(out, *items);
	return rc;
}

int environment_words(const struct run_spec *s, const struct image_config *c,
		      struct strings *out)
{
	int rc = add_all(out, c->entrypoint.items);

	if (rc == 0)
		rc = add_all(out, s->words[0] ? s->words : c->cmd.items);
	return rc;
}

/* The place of the variable that begins @text up to its "=". */
static size_t find(const struct strings *env, const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < env->n; i++) {
		if (strncmp(env->items[i], text, len) == 0 && env->items[i][len] == '=')
			break;
	}
	return i;
}

/* @text is NAME=VALUE; others are left out. */
static int set(struct strings *env, const char *text)
{
	size_t len = strcspn(text, "="), i = find(env, text, len);
	char *copy;

	if (len == 0 || !text[len])
		return 0;
	if (i == env->n)
		return strings_add(env, text);
	copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	free(env->items[i]);
	env->items[i] = copy;
	return 0;
}

static int set_pair(struct strings *env, const char *name, const char *value)
{
	char *text;
	int rc;

	if (!value)
		return 0;
	if (asprintf(&text, "%s=%s", name, value) < 0)
		return -ENOMEM;
	rc = set(env, text);
	free(text);
	return rc;
}

static int set_defaults(const struct run_spec *s, const char *home, struct strings *out)
{
	const char *term = getenv("TERM");
	int rc = set_pair(out, "PATH", PATH);

	if (rc == 0 && s->has_terminal)
		rc = set_pair(out, "TERM", term && term[0] ? term : "xterm");
	if (rc == 0)
		rc = set_pair(out, "container", "peelfs");
	return rc < 0 ? rc : set_pair(out, "HOME", home);
}

int environment_make(const struct run_spec *s, const struct image_config *c,
		     const char *home, struct strings *out)
{
	const char *const *mine = s->env;
	size_t i;
	int rc = set_defaults(s, home, out);

	for (i = 0; rc == 0 && i < c->env.n; i++)
		rc = set(out, c->env.items[i]);
	for (; rc == 0 && mine && *mine; mine++)
		rc = strchr(*mine, '=') ? set(out, *mine)
					: set_pair(out, *mine, getenv(*mine));
	return rc;
}

const char *environment_get(const struct strings *env, const char *name)
{
	size_t len = strlen(name), i = find(env, name, len);

	return i < env->n ? env->items[i] + len + 1 : NULL;
}
