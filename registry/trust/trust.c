/* SPDX-License-Identifier: MIT */
/*
 * Two lists of requirements must be met, if there are both: that of the policy's scope, and
 * the user's key, which is a list of one.
 */
#include "registry/trust/trust.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "registry/config/paths.h"
#include "registry/image/backend.h"
#include "registry/image/image.h"
#include "registry/trust/check.h"
#include "registry/trust/policy.h"
#include "registry/trust/scope.h"

struct trust {
	char *file; /* of the policy; NULL: there is none */
	struct policy policy;
	char *key_file; /* NULL: there is none */
	struct requirement key;
};

static int out_of_memory(struct err *e)
{
	return err_set(e, -ENOMEM, "out of memory");
}

/* THE FILES */

static int read_policy(struct trust *t, struct err *e)
{
	struct buf text;
	int rc;

	buf_init(&text, POLICY_TEXT_MAX);
	rc = paths_read(t->file, &text);
	if (rc < 0)
		err_set(e, rc, "%s", strerror(-rc));
	else
		rc = policy_parse(text.data, text.len, &t->policy, e);
	buf_release(&text);
	if (rc == 0 || rc == -ENOMEM)
		return rc;
	return err_prefix(e, -EACCES, "the policy %s", t->file);
}

static int find_policy(struct trust *t, const char *file, struct err *e)
{
	int rc = 0;

	if (!file)
		rc = policy_find_file(&t->file);
	else if (!(t->file = strdup(file)))
		rc = -ENOMEM;
	if (rc < 0)
		return err_set(e, rc, "looking for policy.json: %s", strerror(-rc));
	return t->file ? read_policy(t, e) : 0;
}

/* Its identity is what cosign writes: the repository without a tag. */
static int take_key(struct trust *t, const char *file, struct err *e)
{
	struct public_key **keys = NULL;
	int rc = requirement_add_file(&t->key, file);

	t->key_file = strdup(file);
	if (rc < 0 || !t->key_file)
		return out_of_memory(e);
	t->key.kind = REQUIREMENT_SIGNED;
	t->key.identity.kind = IDENTITY_REPOSITORY;
	rc = requirement_load_keys(&t->key, &keys, e);
	requirement_free_keys(&t->key, keys);
	return rc < 0 && rc != -ENOMEM ? err_prefix(e, -EACCES, "-o verify=") : rc;
}

int trust_new(const char *policy, const char *key, struct trust **out, struct err *e)
{
	struct trust *t = calloc(1, sizeof(*t));
	int rc;

	if (!t)
		return out_of_memory(e);
	rc = find_policy(t, policy, e);
	if (rc == 0 && key)
		rc = take_key(t, key, e);
	if (rc < 0)
		trust_free(t);
	else
		*out = t;
	return rc;
}

void trust_free(struct trust *t)
{
	if (!t)
		return;
	policy_release(&t->policy);
	requirement_release(&t->key);
	free(t->key_file);
	free(t->file);
	free(t);
}

/* THE GATE */

/* @r is where the subject's reference is kept. */
static int describe(const struct backend *b, struct reference *r, struct subject *out,
		    struct err *e)
{
	int rc = 0;

	*out = (struct subject){.transport = b->transport, .path = b->path};
	if (!b->is_local) {
		rc = reference_parse(b->name, r, e);
		out->reference = r;
	}
	return rc;
}

static int name_scope(const struct trust *t, const struct policy_scope *s, int rc,
		      struct err *e)
{
	if (rc == -ENOMEM || rc == 0)
		return rc;
	if (!s->transport)
		return err_prefix(e, rc, "the policy %s, its default", t->file);
	return err_prefix(e, rc, "the policy %s, scope \"%s\" of %s", t->file, s->name,
			  s->transport);
}

static int check_policy(const struct trust *t, struct checked c, const struct subject *s,
			struct err *e)
{
	const struct policy_scope *scope;

	if (!t->file)
		return 0;
	scope = policy_choose(&t->policy, s);
	return name_scope(t, scope, check_all(&c, scope->list, scope->n, e), e);
}

/* A signature of @index, which may be NULL, will do, too. */
static int check_key(const struct trust *t, struct checked c, const struct digest *index,
		     struct err *e)
{
	int rc;

	if (!t->key_file)
		return 0;
	c.needs_no_identity = true;
	rc = check_all(&c, &t->key, 1, e);
	if (rc == -EACCES && index) {
		c.digest = index;
		rc = check_all(&c, &t->key, 1, e);
	}
	return rc < 0 && rc != -ENOMEM ? err_prefix(e, rc, "-o verify=%s", t->key_file)
				       : rc;
}

int trust_check_image(const struct trust *t, struct backend *b, const struct image *img,
		      struct err *e)
{
	struct reference r;
	struct subject s;
	struct checked c = {.backend = b, .digest = &img->manifest_descriptor.digest};
	int rc = describe(b, &r, &s, e);

	c.reference = s.reference;
	if (rc == 0)
		rc = check_policy(t, c, &s, e);
	if (rc == 0)
		rc = check_key(t, c,
			       img->has_index ? &img->index_descriptor.digest : NULL, e);
	return rc < 0 ? err_prefix(e, rc, "%s", b->name) : 0;
}

bool trust_needs_signature(const struct trust *t, const struct backend *b)
{
	const struct policy_scope *scope;
	struct reference r;
	struct subject s;

	if (t->key_file)
		return true;
	if (!t->file)
		return false;
	if (describe(b, &r, &s, NULL) < 0)
		return true;
	scope = policy_choose(&t->policy, &s);
	return check_needs_signature(scope->list, scope->n);
}

int trust_check_artifact(const struct trust *t, struct backend *b, const struct digest *d,
			 struct err *e)
{
	struct reference r, artifact;
	struct subject s;
	struct checked c = {.backend = b, .digest = d, .reference = &artifact};
	int rc;

	if (!trust_needs_signature(t, b))
		return 0;
	rc = describe(b, &r, &s, e);
	if (rc < 0 || !s.reference)
		return rc < 0 ? rc : err_set(e, -EACCES, "%s: it is not signed", b->name);
	/* It is used by its digest, in the scope of the image. */
	artifact = r;
	artifact.tag[0] = '\0';
	artifact.has_digest = true;
	artifact.digest = *d;
	rc = check_policy(t, c, &s, e);
	return rc < 0 ? rc : check_key(t, c, NULL, e);
}
