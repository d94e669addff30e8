/* SPDX-License-Identifier: MIT */
/* The images of a mount, from a registry that is scripted and a file. */
#include "fs/image/image_list.h"

#include <errno.h>

#include "fs/image/context.h"
#include "fs/image/images.h"
#include "fs/image/layers.h"
#include "fs/image/workers.h"
#include "fs/options/log.h"
#include "fs/options/options.h"
#include "tests/unit/place.h"
#include "tests/unit/scripted_registry.h"

static struct options options = {.source = (char *)"/",
				 .cache = CACHE_NONE,
				 .platform = {.os = "linux", .arch = "amd64"},
				 .client = {.timeout = 10}};
static struct log quiet;
static struct context context;
static struct workers workers;
static struct layers layers;
static struct images images;
static struct image_list *list;
static bool is_mounted;

static unsigned n_logged; /* atomic */
static char logged[ERR_TEXT_MAX];

static void note(void *arg, const char *sentence)
{
	(void)arg;
	snprintf(logged, sizeof(logged), "%s", sentence);
	__atomic_add_fetch(&n_logged, 1, __ATOMIC_SEQ_CST);
}

static void write_list(const char *fmt, ...)
{
	FILE *f = fopen(place_path("list"), "we");
	va_list ap;

	va_start(ap, fmt);
	if (!f || vfprintf(f, fmt, ap) < 0 || fclose(f) != 0)
		exit(1);
	va_end(ap);
}

static const char *read_list(void)
{
	static char text[1000];
	FILE *f = fopen(place_path("list"), "re");

	memset(text, 0, sizeof(text));
	if (f && fread(text, 1, sizeof(text) - 1, f) == 0)
		text[0] = '\0';
	if (f)
		fclose(f);
	return text;
}

/* A failed check ends the test: no thread may go on while libraries take themselves down. */
static void at_exit(void)
{
	if (is_mounted)
		images_close(&images);
}

static void mount_begin(const char *prefix)
{
	struct err e = {""};

	n_logged = 0;
	n_asked = 0;
	logged[0] = '\0';
	if (context_open(&context, &options, &quiet, "/mnt", &e) < 0)
		exit(1);
	workers_init(&workers);
	layers_init(&layers, &context, &workers);
	images_init(&images, &context, &layers, &workers);
	is_mounted = true;
	is_int(images_open_first(&images, NULL, &e), 0, "no first image %s", e.text);
	if (!is_int(image_list_new(&images, prefix, place_path("list"), &list, &e), 0,
		    "a list %s", e.text) ||
	    !is_int(image_list_begin(list, NULL, &e), 0, "begins %s", e.text))
		exit(1);
}

static void mount_end(void)
{
	images_close(&images);
	is_mounted = false;
	images_release(&images);
	layers_release(&layers);
	image_list_free(list);
	workers_release(&workers);
	context_close(&context);
}

/* The names of what is listed: "NAME NAME;NAME;", with the registry's host as "H". */
static const char *listed(uint64_t *generation)
{
	static char out[2000];
	char host[64];
	struct image_set *s;
	size_t i, k, n = 0, len;

	len = (size_t)snprintf(host, sizeof(host), "127.0.0.1:%u/", web.port);
	is_int(image_list_await(list, NULL), 0, "all are resolved");
	s = image_list_get(list);
	out[0] = '\0';
	for (i = 0; i < s->n; i++) {
		for (k = 0; k < s->images[i].n_names; k++) {
			const char *name = s->images[i].names[k];

			n += (size_t)snprintf(
				out + n, sizeof(out) - n, "%s%s", k ? " " : "",
				strncmp(name, host, len) == 0 ? name + len : name);
		}
		n += (size_t)snprintf(out + n, sizeof(out) - n, ";");
	}
	if (generation)
		*generation = s->generation;
	image_set_unref(s);
	return out;
}

/* The manifests of both platforms have no layers: any other reference is not there. */
static void check_file(void)
{
	uint64_t a, b, c;
	char want[1000];
	unsigned p = web.port;

	mount_begin("");
	is_text(listed(&a), "", "no file, no image");
	write_list("127.0.0.1:%u/a:t\n", p);
	is_text(listed(&b), "a:t;", "one image");
	is_int((long long)(b - a), 1, "is a new generation");
	is_int(n_asked, 3, "and three requests");
	write_list("# text\n127.0.0.1:%u/a:t\n127.0.0.1:%u/b:t\n", p, p);
	is_text(listed(&c), "a:t b:t;", "two names of one manifest");
	is_int((long long)(c - b), 1, "are a new generation");
	write_list("# more\n127.0.0.1:%u/a:t\n\n127.0.0.1:%u/b:t\n", p, p);
	is_text(listed(&b), "a:t b:t;", "other lines");
	ok(b == c, "are the same generation");
	write_list("127.0.0.1:%u/x@%s\n127.0.0.1:%u/b:t\n", p, digests[3], p);
	snprintf(want, sizeof(want), "x@%s;b:t;", digests[3]);
	is_text(listed(&b), want, "another image, in the order of the file");
	ok(b == c + 1 || b == c + 2, "a new generation");
	is_int(n_logged, 0, "nothing failed %s", logged);
	unlink(place_path("list"));
	is_text(listed(&a), "", "the file is gone, and so are they");
	mount_end();
}

static void check_failures(void)
{
	unsigned p = web.port;
	uint64_t a, b;

	write_list("127.0.0.1:%u/a:none\n127.0.0.1:%u/a:t\n\n\noci:dir\n", p, p);
	mount_begin("");
	is_text(listed(&a), "a:t;", "one that fails does not keep the other away");
	is_int(n_logged, 2, "two sentences");
	ok(strstr(logged, "list:1: ") && strstr(logged, "a:none"),
	   "file, line and reference: %s", logged);
	n_asked = 0;
	is_text(listed(&b), "a:t;", "asked again");
	ok(a == b && n_asked == 0, "it is not tried each time");
	write_list("127.0.0.1:%u/a:t\n127.0.0.1:%u/a:none\n", p, p);
	is_text(listed(&b), "a:t;", "but when the file changes");
	ok(n_asked > 0, "it is");
	is_int(n_logged, 2, "and the same is not said again");
	mount_end();
	write_list("127.0.0.1:%u/x/a:t\n127.0.0.1:%u/a:t\nnginx\n", p, p);
	snprintf(logged, sizeof(logged), "127.0.0.1:%u/x", p);
	mount_begin(strcpy((char[64]){""}, logged));
	is_text(listed(NULL), "x/a:t;", "below the namespace");
	is_int(n_logged, 2, "others are refused");
	ok(strstr(logged, "list:3: docker.io/library/nginx is not below"), "%s", logged);
	mount_end();
}

static void check_restart(void)
{
	uint64_t a, b;

	write_list("127.0.0.1:%u/a:t\n", web.port);
	mount_begin("");
	listed(&a);
	mount_end();
	write_list("127.0.0.1:%u/b:t\n", web.port);
	mount_begin("");
	listed(&b);
	mount_end();
	ok(a != b, "another mount with others has another generation");
}

static void check_refuse(void)
{
	struct image_set *s, *again;

	write_list("127.0.0.1:%u/a:t\n", web.port);
	mount_begin("");
	s = image_list_get(list);
	is_int((long long)s->n, 1, "an image");
	image_list_refuse(list, s->images[0].view, "its layer is broken");
	ok(strstr(logged, "is not listed: its layer is broken"), "%s", logged);
	image_list_refuse(list, s->images[0].view, "its layer is broken");
	is_int(n_logged, 1, "is said once");
	again = image_list_get(list);
	ok(again->n == 0 && again->generation == s->generation + 1,
	   "it is listed no more");
	is_int((long long)s->n, 1, "the old set stays");
	image_set_unref(again);
	image_set_unref(s);
	mount_end();
}

static void check_add(void)
{
	struct waiter impatient = {.all = &context.waiters, .is_impatient = true};
	char name[100], want[200];
	unsigned p = web.port;
	struct err e = {""};

	write_list("127.0.0.1:%u/b:t", p);
	mount_begin("");
	snprintf(name, sizeof(name), "127.0.0.1:%u/a:t", p);
	n_asked = 0;
	is_int(image_list_add(list, name, &impatient, &e), -EINTR, "it has to wait");
	is_int(n_asked, 0, "and asks nothing before");
	is_int(image_list_add(list, name, NULL, &e), 0, "added %s", e.text);
	is_int(n_asked, 3, "with three requests");
	is_text(listed(NULL), "b:t a:t;", "it is listed");
	snprintf(want, sizeof(want), "127.0.0.1:%u/b:t\n%s\n", p, name);
	is_text(read_list(), want, "and in the file");
	is_int(image_list_add(list, name, NULL, &e), 0, "again");
	is_text(read_list(), want, "changes nothing");
	snprintf(name, sizeof(name), "127.0.0.1:%u/a:none", p);
	is_int(image_list_add(list, name, NULL, &e), -ENOENT, "%s", e.text);
	is_text(read_list(), want, "what fails is not in the file");
	is_int(n_logged, 0, "nor in the log");
	is_int(image_list_add(list, "oci:x", NULL, &e), -EINVAL, "%s", e.text);
	snprintf(name, sizeof(name), "127.0.0.1:%u/b:t", p);
	is_int(image_list_remove(list, name, &e), 0, "removed %s", e.text);
	is_text(listed(NULL), "a:t;", "it is not listed");
	is_int(image_list_remove(list, name, &e), -ENOENT, "%s", e.text);
	mount_end();
}

int main(void)
{
	place_make();
	registry_start();
	atexit(at_exit);
	quiet.on_error = note;
	check_file();
	check_failures();
	check_restart();
	check_refuse();
	check_add();
	return test_done();
}
