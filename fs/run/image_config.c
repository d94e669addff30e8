/* SPDX-License-Identifier: MIT */
#include "fs/run/image_config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"

int strings_add(struct strings *t, const char *text)
{
	char **items = realloc(t->items, (t->n + 2) * sizeof(*items));

	if (!items)
		return -ENOMEM;
	t->items = items;
	items[t->n] = strdup(text);
	items[t->n + 1] = NULL;
	if (!items[t->n])
		return -ENOMEM;
	t->n++;
	return 0;
}

void strings_release(struct strings *t)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		free(t->items[i]);
	free(t->items);
	*t = (struct strings){NULL, 0};
}

/* A text alone is a list of one, as old builders wrote it. */
static int read_list(const struct json *j, struct strings *out)
{
	size_t i;
	int rc = 0;

	if (json_string(j))
		return strings_add(out, json_string(j));
	for (i = 0; rc == 0 && json_type(j) == JSON_ARRAY && i < json_count(j); i++) {
		if (json_string(json_item(j, i)))
			rc = strings_add(out, json_string(json_item(j, i)));
	}
	return rc;
}

static int read_member(const struct json *config, const char *name, struct strings *out)
{
	const struct json *j = json_member(config, name);

	return j ? read_list(j, out) : 0;
}

static int read_text(const struct json *config, const char *name, char **out)
{
	const char *text = json_member_string(config, name);

	if (!text || !text[0])
		return 0;
	*out = strdup(text);
	return *out ? 0 : -ENOMEM;
}

static int read_platform(const struct json *j, char **out)
{
	const char *os = json_member_string(j, "os");
	const char *arch = json_member_string(j, "architecture");

	if (asprintf(out, "%s/%s", os ? os : "linux", arch ? arch : "unknown") >= 0)
		return 0;
	*out = NULL;
	return -ENOMEM;
}

static int read_config(struct image_config *c, const struct json *root)
{
	const struct json *config = json_member(root, "config");
	int rc = read_platform(root, &c->platform);

	if (rc == 0)
		rc = read_member(config, "Env", &c->env);
	if (rc == 0)
		rc = read_member(config, "Entrypoint", &c->entrypoint);
	if (rc == 0)
		rc = read_member(config, "Cmd", &c->cmd);
	if (rc == 0)
		rc = read_text(config, "WorkingDir", &c->workdir);
	return rc < 0 ? rc : read_text(config, "User", &c->user);
}

int image_config_parse(struct image_config *c, const char *data, size_t len,
		       struct err *e)
{
	struct json *root = NULL;
	int rc;

	memset(c, 0, sizeof(*c));
	rc = json_parse(data, len, &root, e);
	if (rc == 0 && json_type(root) != JSON_OBJECT)
		rc = err_set(e, -EBADMSG, "not an object");
	if (rc == 0) {
		rc = read_config(c, root);
		if (rc < 0)
			err_set(e, rc, "out of memory");
	}
	json_free(root);
	return rc < 0 ? err_prefix(e, rc, "the config of the image") : 0;
}

void image_config_release(struct image_config *c)
{
	strings_release(&c->env);
	strings_release(&c->entrypoint);
	strings_release(&c->cmd);
	free(c->workdir);
	free(c->user);
	free(c->platform);
	memset(c, 0, sizeof(*c));
}
