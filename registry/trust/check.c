/* SPDX-License-Identifier: MIT */
/*
 * Requirements that need no signature come first, because they need no request either. A
 * signature counts for a requirement in this order: one of its keys made it, it is of this
 * digest, and it claims the right identity. Its text is parsed only after the first of these.
 */
#include "registry/trust/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/public_key.h"
#include "registry/trust/payload.h"
#include "registry/trust/signatures.h"

/* A requirement that asks for a signature. */
struct wish {
	const struct requirement *requirement;
	struct public_key **keys;
	bool is_met;
};

struct check {
	const struct checked *of;
	struct wish *wishes;
	size_t n;
	size_t n_met;
	unsigned n_seen; /* signatures, of any kind */
	struct err why;	 /* the last one was refused */
};

bool check_needs_signature(const struct requirement *list, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (list[i].kind == REQUIREMENT_SIGNED)
			return true;
	}
	return false;
}

/* WITHOUT SIGNATURES */

static int check_plain(const struct requirement *r, struct err *e)
{
	switch (r->kind) {
	case REQUIREMENT_ACCEPT:
	case REQUIREMENT_SIGNED:
		return 0;
	case REQUIREMENT_UNSUPPORTED:
		return err_set(e, -EACCES, "it asks for %s, which peelfs cannot check",
			       r->unsupported);
	default:
		return err_set(e, -EACCES, "it rejects the image");
	}
}

/* ONE SIGNATURE */

static bool is_made_by(const struct wish *w, const struct signature *s)
{
	const struct buf *what = s->is_statement ? &s->signed_bytes : &s->text;
	size_t i;

	for (i = 0; i < w->requirement->n_keys; i++) {
		if (public_key_verifies(w->keys[i], what->data, what->len, s->bytes.data,
					s->bytes.len))
			return true;
	}
	return false;
}

static int check_payload(const struct checked *c, const struct wish *w,
			 const struct payload *p, struct err *e)
{
	char text[DIGEST_TEXT_MAX];

	if (!digest_equal(&p->digest, c->digest))
		return err_set(e, -EACCES, "a signature is of another image, %s",
			       digest_format(&p->digest, text));
	if (c->needs_no_identity && (!p->reference || !c->reference))
		return 0;
	if (!p->reference)
		return err_set(e, -EACCES, "a signature names no image");
	if (!identity_matches(&w->requirement->identity, c->reference, p->reference))
		return err_set(e, -EACCES, "a signature is for %.150s", p->reference);
	return 0;
}

static int check_signature(const struct checked *c, const struct wish *w,
			   const struct signature *s, struct err *e)
{
	struct payload p = {0};
	int rc;

	if (!is_made_by(w, s))
		return err_set(e, -EACCES, "a signature is by another key");
	rc = s->is_statement ? payload_parse_statement(s->text.data, s->text.len, &p, e)
			     : payload_parse_simple(s->text.data, s->text.len, &p, e);
	if (rc < 0)
		return err_prefix(e, rc, "a signature is unreadable");
	rc = check_payload(c, w, &p, e);
	payload_release(&p);
	return rc;
}

static enum signature_verdict judge(void *arg, const struct signature *s)
{
	struct check *c = arg;
	bool is_good = false;
	size_t i;

	c->n_seen++;
	for (i = 0; i < c->n; i++) {
		struct wish *w = &c->wishes[i];

		if (w->is_met || check_signature(c->of, w, s, &c->why) < 0)
			continue;
		w->is_met = is_good = true;
		c->n_met++;
	}
	if (c->n_met == c->n)
		return SIGNATURE_ENOUGH;
	return is_good ? SIGNATURE_GOOD : SIGNATURE_USELESS;
}

/* ALL */

/* The reason why the wishes are not met. */
static int explain(const struct check *c, struct err *e)
{
	if (c->n_seen == 0 && c->of->backend->is_local && !c->of->backend->ops->signature)
		return err_set(e, -EACCES,
			       "a signature is required, and such an image has none");
	if (c->n_seen == 0)
		return err_set(e, -EACCES, "a signature is required, and there is none");
	return err_set(e, -EACCES, "none of %u signatures is accepted: %s", c->n_seen,
		       c->why.text[0] ? c->why.text : "others are required, too");
}

static int check_signatures(struct check *c, struct err *e)
{
	struct backend *b = c->of->backend;
	int rc;

	if (signatures_recall(b, c->of->digest, judge, c))
		return 0;
	/* What the store had comes again, and in its place. */
	c->n_seen = 0;
	rc = signatures_ask(b, c->of->digest, judge, c, e);
	if (rc < 0)
		return err_prefix(e, rc, "looking for its signatures");
	return rc == 1 ? 0 : explain(c, e);
}

static int load_wishes(struct check *c, const struct requirement *list, size_t n,
		       struct err *e)
{
	size_t i;
	int rc = 0;

	c->wishes = calloc(n, sizeof(*c->wishes));
	if (!c->wishes)
		return err_set(e, -ENOMEM, "out of memory");
	for (i = 0; i < n && rc == 0; i++) {
		struct wish w = {.requirement = &list[i]};

		if (list[i].kind != REQUIREMENT_SIGNED)
			continue;
		rc = requirement_load_keys(&list[i], &w.keys, e);
		if (rc == 0)
			c->wishes[c->n++] = w;
	}
	return rc < 0 && rc != -ENOMEM ? -EACCES : rc;
}

static void release_wishes(struct check *c)
{
	size_t i;

	for (i = 0; i < c->n; i++)
		requirement_free_keys(c->wishes[i].requirement, c->wishes[i].keys);
	free(c->wishes);
}

int check_all(const struct checked *of, const struct requirement *list, size_t n,
	      struct err *e)
{
	struct check c = {.of = of};
	size_t i;
	int rc = 0;

	for (i = 0; i < n && rc == 0; i++)
		rc = check_plain(&list[i], e);
	if (rc < 0 || !check_needs_signature(list, n))
		return rc;
	rc = load_wishes(&c, list, n, e);
	if (rc == 0)
		rc = check_signatures(&c, e);
	release_wishes(&c);
	return rc;
}
