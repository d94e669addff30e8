/* SPDX-License-Identifier: MIT */
/*
 * A first pass that is interrupted continues where it stopped, and whatever was left of the
 * blob, the layer is what it is.
 */
#include "tar/first_pass.h"

#include <sys/stat.h>

#include "tar/layer.h"
#include "tests/unit/tar/layers.h"

#define STORE "resumed"

static struct form *form;

static off_t partial_size(void)
{
	struct stat st;

	return stat(stored(STORE, form, "partial"), &st) < 0 ? -1 : st.st_size;
}

/* Nothing is there of an earlier test. */
static void begin(struct form *f)
{
	form = f;
	(void)unlink(stored(STORE, form, "index"));
	(void)unlink(stored(STORE, form, "data"));
	(void)unlink(stored(STORE, form, "spans"));
	(void)unlink(stored(STORE, form, "partial"));
}

/* Leaves the first @len bytes of the blob; returns what was fetched for it. */
static void interrupt_at(size_t len)
{
	struct store *s = open_store(STORE);
	struct err e = {""};
	struct layer *l;
	struct blob b;

	blob_init(&b, form->bytes.data, form->bytes.len);
	b.cut = len;
	must(layer_new(s, &form->digest, &b.source, &l), "a layer");
	last_layer = l;
	is_int(layer_load(l, NULL, &e), -EIO, "%s: interrupted: %s", form->name, e.text);
	layer_free(l);
	is_int(partial_size(), len, "what was read is kept");
	ok(access(stored(STORE, form, "index"), F_OK) < 0, "without an index");
	store_close(s);
}

static void continue_with(struct blob *b, const char *what)
{
	struct store *s = open_store(STORE);
	struct layer_progress p;
	struct err e = {""};
	struct layer *l;

	must(layer_new(s, &form->digest, &b->source, &l), "a layer");
	last_layer = l;
	if (ok(layer_load(l, NULL, &e) == 0, "%s: %s %s", form->name, what, e.text)) {
		layer_progress(l, &p);
		is_int(p.blob_done, form->bytes.len, "all of the blob was read");
		ok(p.fetched <= b->sent, "and less was fetched");
		ok(all_is_right(l, false), "every file is right");
	}
	layer_free(l);
	is_int(b->preads, 0, "and nothing in parts");
	is_int(partial_size(), -1, "nothing is left of the blob");
	store_close(s);
}

static void flip(off_t at)
{
	int fd = open(stored(STORE, form, "partial"), O_RDWR);
	unsigned char c = 0;

	must(fd < 0 || pread(fd, &c, 1, at) != 1 ? -EIO : 0, "a byte");
	c ^= 0x20;
	must(pwrite(fd, &c, 1, at) == 1 ? 0 : -EIO, "a byte");
	close(fd);
}

static void test_continued(struct form *f)
{
	size_t size = f->bytes.len, third = size / 3;
	struct blob b;

	begin(f);
	interrupt_at(third);
	interrupt_at(2 * third);
	blob_init(&b, f->bytes.data, size);
	continue_with(&b, "continued");
	is_int(b.sent, size - 2 * third, "the rest is fetched");
	is_int(b.from, 2 * third, "from there");
	is_int(b.streams, 1, "with one request");

	begin(f);
	interrupt_at(size); /* just before its end was seen */
	blob_init(&b, f->bytes.data, size);
	continue_with(&b, "from what was kept alone");
	is_int(b.streams, 0, "without a request");
}

/* What the disk did to it is not the fault of the registry. */
static void test_damaged(struct form *f)
{
	size_t size = f->bytes.len, half = size / 2;
	char *spoiled = malloc(size);
	struct blob b;

	must(spoiled ? 0 : -ENOMEM, "memory");
	memcpy(spoiled, f->bytes.data, size);
	spoiled[size - size / 4] ^= 4;

	begin(f);
	interrupt_at(half);
	flip((off_t)half - 2000);
	blob_init(&b, f->bytes.data, size);
	continue_with(&b, "a flipped bit");
	ok(b.sent >= size && b.sent <= size + size - half, "fetched anew: %llu",
	   (unsigned long long)b.sent);
	is_int(b.from, 0, "from the start");

	begin(f);
	interrupt_at(size);
	flip(100000);
	blob_init(&b, f->bytes.data, size);
	b.spoiled = spoiled;
	b.n_spoiled = 1;
	continue_with(&b, "and a transfer that fails, too");
	is_int(b.streams, 2, "which is mended as it would be without");

	begin(f);
	interrupt_at(half);
	blob_init(&b, f->bytes.data, size);
	b.spoiled = spoiled;
	b.n_spoiled = 1;
	continue_with(&b, "a transfer that fails alone");
	is_int(b.from, 0, "begins anew");

	begin(f);
	interrupt_at(half);
	must(truncate(stored(STORE, f, "partial"), (off_t)size + 5), "truncate");
	blob_init(&b, f->bytes.data, size);
	continue_with(&b, "more than there is");
	is_int(b.sent, size, "is no use");
	free(spoiled);
}

/* What cannot be read is found before the rest is fetched. */
static void test_malformed(void)
{
	struct form *f = &forms[PLAIN];
	struct blob b;

	begin(f);
	interrupt_at(f->bytes.len / 2);
	flip(5); /* in a name */
	blob_init(&b, f->bytes.data, f->bytes.len);
	continue_with(&b, "a header that is none");
	is_int(b.streams, 1, "is found at once");
	is_int(b.sent, f->bytes.len, "and costs one fetch");
}

/* A layer that is not what its digest says leaves nothing behind. */
static void test_wrong(void)
{
	struct form wrong = forms[GZIP];
	struct store *s;
	struct err e = {""};
	struct layer *l;
	struct blob b;

	wrong.digest.bytes[3] ^= 1;
	begin(&wrong);
	interrupt_at(wrong.bytes.len / 2);
	s = open_store(STORE);
	is_int(load_form(s, &wrong, &b, &l, &e), -EBADMSG, "another digest: %s", e.text);
	is_int(b.streams, 3, "is blamed when it came twice as a whole");
	layer_free(l);
	is_int(partial_size(), -1, "and not kept");
	store_close(s);
}

/* Layers on disk are read again as fast. */
static void test_local(void)
{
	struct form *f = &forms[PLAIN];
	struct source *local = NULL;
	bool cancelled = true;
	struct store *s;
	struct layer *l;

	begin(f);
	s = open_store(STORE);
	must(source_memory(f->bytes.data, f->bytes.len, &local), "a source");
	must(layer_new(s, &f->digest, local, &l), "a layer");
	last_layer = l;
	is_int(layer_load(l, &cancelled, NULL), -EINTR, "a local layer, interrupted");
	is_int(partial_size(), -1, "is not kept");
	layer_free(l);
	store_close(s);
}

int main(void)
{
	int i;

	layers_init();
	for (i = 0; i < N_FORMS; i++) {
		ok(forms[i].bytes.len > 1 << 18, "%s: %zu bytes are enough",
		   forms[i].name, forms[i].bytes.len);
		test_continued(&forms[i]);
		test_damaged(&forms[i]);
	}
	test_malformed();
	test_wrong();
	test_local();
	layers_release();
	return test_done();
}
