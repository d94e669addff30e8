/* SPDX-License-Identifier: MIT */
/*
 * passwd(5): NAME:PASSWORD:UID:GID:GECOS:HOME:SHELL; group(5): NAME:PASSWORD:GID:NAME,...
 * A name wins over a number, as in chown(1).
 */
#include "fs/run/accounts.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/num.h"

#define FIELDS_MAX 7

/* (uid_t)-1 means no user. */
#define ID_MAX (UINT32_MAX - 1)

struct field {
	const char *text;
	size_t len;
};

/* A line in its fields; those that are missing are empty. */
struct row {
	struct field fields[FIELDS_MAX];
};

/* Splits the next line. False at the end. */
static bool next_row(const char **text, struct row *row)
{
	const char *at = *text, *end = at + strcspn(at, "\n");
	size_t i, len;

	if (!*at)
		return false;
	for (i = 0; i < FIELDS_MAX; i++) {
		len = 0;
		while (at + len < end && (at[len] != ':' || i == FIELDS_MAX - 1))
			len++;
		row->fields[i] = (struct field){at, len};
		at += len + (at + len < end);
	}
	*text = end + (*end == '\n');
	return true;
}

static bool field_is(const struct field *f, const char *text, size_t len)
{
	return f->len == len && memcmp(f->text, text, len) == 0;
}

static bool field_id(const struct field *f, uint64_t *out)
{
	return num_parse(f->text, f->len, ID_MAX, out);
}

/* Finds the row whose name is @key, else the one whose field 2 is @key as a number. */
static bool find_row(const char *text, const char *key, size_t len, struct row *out)
{
	const char *at = text;
	uint64_t number, id;

	while (next_row(&at, out)) {
		if (len > 0 && field_is(&out->fields[0], key, len) &&
		    field_id(&out->fields[2], &id))
			return true;
	}
	if (!num_parse(key, len, ID_MAX, &number))
		return false;
	while (next_row(&text, out)) {
		if (field_id(&out->fields[2], &id) && id == number)
			return true;
	}
	return false;
}

static void set_home(struct account *a, const struct field *home)
{
	if (home->len > 0 && home->len < sizeof(a->home) && home->text[0] == '/')
		snprintf(a->home, sizeof(a->home), "%.*s", (int)home->len, home->text);
}

/* Whether a comma list has the name. */
static bool is_member(const struct field *list, const struct field *name)
{
	size_t at = 0, len;

	for (; at < list->len; at += len + 1) {
		len = 0;
		while (at + len < list->len && list->text[at + len] != ',')
			len++;
		if (field_is(name, list->text + at, len))
			return true;
	}
	return false;
}

static void add_groups(struct account *a, const char *group, const struct field *name)
{
	struct row row;
	uint64_t id;

	while (next_row(&group, &row)) {
		if (is_member(&row.fields[3], name) && field_id(&row.fields[2], &id) &&
		    id != a->gid && a->n_groups < ACCOUNT_GROUPS_MAX)
			a->groups[a->n_groups++] = (gid_t)id;
	}
}

static int find_user(struct account *a, const char *user, size_t len, const char *passwd,
		     struct row *row, struct err *e)
{
	uint64_t id;

	if (find_row(passwd, user, len, row)) {
		(void)field_id(&row->fields[2], &id);
		a->uid = (uid_t)id;
		if (field_id(&row->fields[3], &id))
			a->gid = (gid_t)id;
		set_home(a, &row->fields[5]);
		return 1;
	}
	if (!num_parse(user, len, ID_MAX, &id))
		return err_set(e, -ENOENT, "the image has no user %.*s in /etc/passwd",
			       (int)len, user);
	a->uid = (uid_t)id;
	return 0;
}

static int find_group(struct account *a, const char *name, const char *group,
		      struct err *e)
{
	size_t len = strlen(name);
	struct row row;
	uint64_t id;

	if (find_row(group, name, len, &row))
		(void)field_id(&row.fields[2], &id);
	else if (!num_parse(name, len, ID_MAX, &id))
		return err_set(e, -ENOENT, "the image has no group %s in /etc/group",
			       name);
	a->gid = (gid_t)id;
	return 0;
}

int account_find(const char *user, const char *passwd, const char *group,
		 struct account *out, struct err *e)
{
	size_t len = strcspn(user, ":");
	struct account a = {.home = "/"};
	struct row row;
	int rc;

	if (len == 0)
		return err_set(e, -EINVAL, "%s: expected USER[:GROUP]", user);
	rc = find_user(&a, user, len, passwd, &row, e);
	if (rc < 0)
		return rc;
	if (user[len])
		rc = find_group(&a, user + len + 1, group, e);
	else if (rc == 1)
		add_groups(&a, group, &row.fields[0]);
	if (rc < 0)
		return rc;
	*out = a;
	return 0;
}
