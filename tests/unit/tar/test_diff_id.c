/* SPDX-License-Identifier: MIT */
/* The diff ID of a layer of each kind, by its first pass, from the store, and by a note. */
#include "tar/diff_id.h"

#include "base/digest.h"
#include "tar/diff_note.h"
#include "tests/unit/tar/layers.h"

static struct digest right;

static struct layer *load(struct store *s, const struct form *f, struct blob *b,
			  bool want)
{
	struct err e = {""};
	struct layer *l;

	blob_init(b, f->bytes.data, f->bytes.len);
	must(layer_new(s, &f->digest, &b->source, &l), "a layer");
	last_layer = l;
	if (want)
		layer_want_diff_id(l);
	must(layer_load(l, NULL, &e), e.text);
	return l;
}

static void is_right(struct store *s, struct layer *l, const char *what)
{
	struct err e = {""};
	struct digest d;

	ok(diff_id_of(s, l, NULL, &d, &e) == 0 && digest_equal(&d, &right), "%s %s", what,
	   e.text);
}

static void test_first_pass(const struct form *f)
{
	struct store *s = open_store("wanted");
	struct digest d;
	struct blob b;
	struct layer *l = load(s, f, &b, true);

	ok(diff_note_get(s, &f->digest, &d) && digest_equal(&d, &right),
	   "%s: the first pass notes it", f->name);
	is_right(s, l, "and it is known");
	is_int(b.preads, 0, "without reading the layer");
	layer_free(l);
	store_close(s);
}

static void test_later(const struct form *f)
{
	struct store *s = open_store("later");
	bool cancelled = true;
	struct err e = {""};
	struct digest d;
	struct blob b;
	struct layer *l = load(s, f, &b, false);

	ok(!diff_note_get(s, &f->digest, &d), "%s: not wanted, not noted", f->name);
	is_int(diff_id_of(s, l, &cancelled, &d, &e), -EINTR, "it can be interrupted");
	is_right(s, l, "computed from the store");
	is_int(b.preads, 0, "without a request");
	layer_free(l);
	must(unlink(stored("later", f, "data")), "unlink");
	l = load(s, f, &b, false);
	is_right(s, l, "the note serves without data");
	is_int(b.preads, 0, "and without a request");
	layer_free(l);
	store_close(s);
}

static void test_missing(const struct form *f)
{
	struct store *s = open_store("missing");
	struct err e = {""};
	struct digest d;
	struct blob b;
	struct layer *l = load(s, f, &b, false);

	layer_free(l);
	must(unlink(stored("missing", f, "data")), "unlink");
	l = load(s, f, &b, false);
	b.fail = 100;
	ok(diff_id_of(s, l, NULL, &d, &e) < 0 && e.text[0], "%s: data is missing: %s",
	   f->name, e.text);
	b.fail = 0;
	is_right(s, l, "it is fetched again");
	layer_free(l);
	store_close(s);
}

int main(void)
{
	int i;

	layers_init();
	must(digest_of(DIGEST_SHA256, plain.data, plain.len, &right), "a digest");
	for (i = 0; i < N_FORMS; i++) {
		test_first_pass(&forms[i]);
		test_later(&forms[i]);
		test_missing(&forms[i]);
	}
	layers_release();
	return test_done();
}
