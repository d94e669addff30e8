/* SPDX-License-Identifier: MIT */
/*
 * The rules are those of podman and skopeo. A reference with tag and digest is taken as one
 * with a digest alone: the digest decides what it names.
 */
#include "registry/trust/identity.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "registry/trust/strict.h"

static const struct {
	const char *name;
	const char *members[4]; /* all are required */
	size_t n_members;
} kinds[] = {
	[IDENTITY_REPO_DIGEST_OR_EXACT] = {"matchRepoDigestOrExact", {"type"}, 1},
	[IDENTITY_EXACT] = {"matchExact", {"type"}, 1},
	[IDENTITY_REPOSITORY] = {"matchRepository", {"type"}, 1},
	[IDENTITY_THIS_REFERENCE] = {"exactReference", {"type", "dockerReference"}, 2},
	[IDENTITY_THIS_REPOSITORY] = {"exactRepository", {"type", "dockerRepository"}, 2},
	[IDENTITY_REMAPPED] = {"remapIdentity", {"type", "prefix", "signedPrefix"}, 3},
};

#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* Has @text neither a tag nor a digest? The parser would add a tag. */
static bool is_name_only(const char *text)
{
	const char *slash = strrchr(text, '/');

	return !strchr(slash ? slash : text, ':') && !strchr(text, '@');
}

/* A host, or a host and a path: what a repository's full name may begin with. */
static bool is_prefix(const char *text)
{
	size_t len = strlen(text), host = strcspn(text, "/");

	if (len >= REFERENCE_TEXT_MAX || host == 0 || !reference_is_host(text, host))
		return false;
	return host == len || reference_is_path(text + host + 1, len - host - 1);
}

static int read_this(const struct json *j, const char *key, struct identity *out,
		     struct err *e)
{
	const char *text;
	int rc = strict_text(j, key, &text, e);

	if (rc == 0 && reference_parse(text, &out->this, NULL) < 0)
		rc = err_set(e, -EBADMSG, "\"%s\" is not a reference: %.200s", key, text);
	if (rc == 0 && out->kind == IDENTITY_THIS_REFERENCE && is_name_only(text))
		rc = err_set(e, -EBADMSG, "\"%s\" has neither a tag nor a digest: %.200s",
			     key, text);
	return rc;
}

static int read_prefix(const struct json *j, const char *key, char *out, struct err *e)
{
	const char *text;
	int rc = strict_text(j, key, &text, e);

	if (rc == 0 && !is_prefix(text))
		rc = err_set(e, -EBADMSG,
			     "\"%s\" is neither a host nor a repository: %.200s", key,
			     text);
	if (rc == 0)
		strcpy(out, text);
	return rc;
}

static int read_members(const struct json *j, struct identity *out, struct err *e)
{
	int rc;

	switch (out->kind) {
	case IDENTITY_THIS_REFERENCE:
	case IDENTITY_THIS_REPOSITORY:
		return read_this(j, kinds[out->kind].members[1], out, e);
	case IDENTITY_REMAPPED:
		rc = read_prefix(j, "prefix", out->prefix, e);
		return rc < 0 ? rc
			      : read_prefix(j, "signedPrefix", out->signed_prefix, e);
	default:
		return 0;
	}
}

int identity_parse(const struct json *j, struct identity *out, struct err *e)
{
	struct identity id = {.kind = IDENTITY_REPO_DIGEST_OR_EXACT};
	const char *type;
	size_t i;
	int rc = 0;

	if (j) {
		type = json_member_string(j, "type");
		for (i = 0; i < N_KINDS && (!type || strcmp(kinds[i].name, type)); i++)
			;
		if (i == N_KINDS)
			return err_set(e, -EBADMSG,
				       "\"signedIdentity\" has the unknown type %.100s",
				       type ? type : "(none)");
		id.kind = (enum identity_kind)i;
		rc = strict_members(j, "\"signedIdentity\"", kinds[i].members,
				    kinds[i].n_members, e);
		if (rc == 0)
			rc = read_members(j, &id, e);
	}
	if (rc == 0)
		*out = id;
	return rc;
}

/* MATCHING */

static bool is_same_name(const struct reference *a, const struct reference *b)
{
	return strcmp(a->host, b->host) == 0 && strcmp(a->path, b->path) == 0;
}

static bool is_same(const struct reference *a, const struct reference *b)
{
	return is_same_name(a, b) && strcmp(a->tag, b->tag) == 0 &&
	       a->has_digest == b->has_digest &&
	       (!a->has_digest || digest_equal(&a->digest, &b->digest));
}

static bool is_repo_digest_or_exact(const struct reference *wanted,
				    const struct reference *claimed, bool claims_name)
{
	if (claims_name)
		return false;
	return wanted->has_digest ? is_same_name(wanted, claimed)
				  : is_same(wanted, claimed);
}

/* Replaces the prefix of @r. False: the result is not a reference in its full form. */
static bool remap(const struct identity *id, struct reference *r)
{
	char name[REFERENCE_TEXT_MAX], full[REFERENCE_TEXT_MAX];
	char text[2 * REFERENCE_TEXT_MAX];
	size_t len = strlen(id->prefix);

	reference_name(r, name);
	if (strncmp(name, id->prefix, len) != 0 || (name[len] && name[len] != '/'))
		return true;
	snprintf(text, sizeof(text), "%s%s", id->signed_prefix,
		 reference_format(r, full) + len);
	return reference_parse(text, r, NULL) == 0 &&
	       strcmp(reference_format(r, full), text) == 0;
}

bool identity_matches(const struct identity *id, const struct reference *wanted,
		      const char *claimed)
{
	struct reference c, w = {0};
	bool claims_name = is_name_only(claimed);

	if (reference_parse(claimed, &c, NULL) < 0)
		return false;
	if (wanted)
		w = *wanted;
	if (w.has_digest)
		w.tag[0] = '\0';
	switch (id->kind) {
	case IDENTITY_THIS_REFERENCE:
		return !claims_name && is_same(&id->this, &c);
	case IDENTITY_THIS_REPOSITORY:
		return is_same_name(&id->this, &c);
	case IDENTITY_EXACT:
		return wanted && !claims_name && is_same(&w, &c);
	case IDENTITY_REPOSITORY:
		return wanted && is_same_name(&w, &c);
	case IDENTITY_REMAPPED:
		return wanted && remap(id, &w) &&
		       is_repo_digest_or_exact(&w, &c, claims_name);
	default:
		return wanted && is_repo_digest_or_exact(&w, &c, claims_name);
	}
}
