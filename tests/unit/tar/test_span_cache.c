/* SPDX-License-Identifier: MIT */
/* Readers of spans that wait, run concurrently, or meet a full store. */
#include "tar/span_cache.h"

#include "tests/unit/tar/layers.h"

/* Loaded, with all of its data removed: each span has to be fetched. */
static struct layer *without_data(const char *store, struct store *s,
				  const struct form *f, struct blob *b)
{
	struct layer *l;

	must(load_form(s, f, b, &l, NULL), "loading");
	layer_free(l);
	must(unlink(stored(store, f, "data")), "unlink");
	must(load_form(s, f, b, &l, NULL), "loading again");
	return l;
}

struct get {
	struct layer *layer;
	bool cancelled;
	int rc;
};

static void *get_main(void *arg)
{
	struct get *g = arg;
	struct layer_data d;
	size_t n = 100;

	g->rc = layer_get(g->layer, 2000000, &n, &g->cancelled, &d, NULL);
	if (g->rc == 0)
		layer_unget(g->layer, &d);
	return NULL;
}

static void test_waiting(void)
{
	struct store *s = open_store("waiting");
	struct form *f = &forms[GZIP];
	struct get one = {NULL, false, 1}, two = {NULL, false, 1};
	pthread_t threads[2];
	struct layer *l;
	struct err e = {""};
	struct blob b;
	char room[100];
	unsigned preads;

	l = one.layer = two.layer = without_data("waiting", s, f, &b);
	blob_hold(&b, true);
	pthread_create(&threads[0], NULL, get_main, &one);
	blob_wait_for_reader(&b);
	pthread_create(&threads[1], NULL, get_main, &two);
	__atomic_store_n(&one.cancelled, true, __ATOMIC_RELAXED);
	layer_wake(l);
	pthread_join(threads[0], NULL);
	is_int(one.rc, -EINTR, "one waiter goes away");
	preads = __atomic_load_n(&b.preads, __ATOMIC_RELAXED);
	is_int(preads, 1, "one request is under way, for both");
	blob_hold(&b, false);
	pthread_join(threads[1], NULL);
	is_int(two.rc, 0, "the other has it");
	preads = __atomic_load_n(&b.preads, __ATOMIC_RELAXED);
	ok(read_decoded(l, 2000000, 100, room) == 0 &&
		   memcmp(room, plain.data + 2000000, 100) == 0 &&
		   __atomic_load_n(&b.preads, __ATOMIC_RELAXED) == preads,
	   "and it stays");

	blob_hold(&b, true);
	one.cancelled = false;
	pthread_create(&threads[0], NULL, get_main, &one);
	pthread_join(threads[0], NULL);
	is_int(one.rc, 0, "what is there is read while the host is silent");
	blob_hold(&b, false);
	layer_free(l);

	l = without_data("waiting", s, f, &b);
	__atomic_store_n(&b.fail, 1000, __ATOMIC_RELAXED);
	{
		struct layer_data d;
		size_t n = 100;

		is_int(layer_get(l, 100, &n, NULL, &d, &e), -EIO, "the host is gone: %s",
		       e.text);
		ok(strstr(e.text, "layer sha256:") && strstr(e.text, "the host is gone"),
		   "which is said");
	}
	__atomic_store_n(&b.fail, 0, __ATOMIC_RELAXED);
	ok(all_is_right(l, false), "and when it is back, all is read");
	layer_free(l);
	store_close(s);
}

static void *read_main(void *arg)
{
	struct layer *l = arg;

	return parts_are_right(l, (unsigned)(uintptr_t)&l >> 4, 60) ? arg : NULL;
}

static void test_threads(void)
{
	struct store *s = open_store("threads");
	pthread_t threads[4];
	struct layer *l;
	struct blob b;
	void *right;
	int i, form;

	for (form = 0; form < N_FORMS; form++) {
		unsigned n_right = 0;

		l = without_data("threads", s, &forms[form], &b);
		for (i = 0; i < 4; i++)
			pthread_create(&threads[i], NULL, read_main, l);
		for (i = 0; i < 4; i++) {
			pthread_join(threads[i], &right);
			n_right += right != NULL;
		}
		is_int(n_right, 4, "%s: four readers at once", forms[form].name);
		layer_free(l);
	}
	store_close(s);
}

static void test_limit(void)
{
	struct store *s = open_store("limit");
	struct layer *l;
	struct blob b;
	int i;

	store_set_limit(s, 1 << 20);
	for (i = 0; i < N_FORMS; i++) {
		is_int(load_form(s, &forms[i], &b, &l, NULL), 0, "%s: a store of 1 MiB",
		       forms[i].name);
		ok(all_is_right(l, false) && all_is_right(l, true),
		   "every file is right");
		layer_free(l);
	}
	store_close(s);
}

static void test_full_disk(void)
{
	static const char *const sizes[] = {"64k", "300k", "1m", "3m"};
	struct store *s;
	struct layer *l;
	struct blob b;
	char name[32];
	unsigned i, form, again;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		snprintf(name, sizeof(name), "disk%u", i);
		if (!place_small_disk(place_path(name), sizes[i])) {
			ok(true, "full disk # SKIP may not mount");
			return;
		}
		snprintf(name, sizeof(name), "disk%u/store", i);
		for (form = 0; form < 2 * N_FORMS; form++) {
			s = open_store(name);
			again = form % 2;
			is_int(load_form(s, &forms[form / 2], &b, &l, NULL), 0,
			       "%s: %s disk, %s", forms[form / 2].name, sizes[i],
			       again ? "again" : "first");
			ok(all_is_right(l, true) && all_is_right(l, false),
			   "every file is right");
			layer_free(l);
			store_close(s);
		}
	}
}

int main(void)
{
	layers_init();
	test_waiting();
	test_threads();
	test_limit();
	test_full_disk();
	layers_release();
	return test_done();
}
