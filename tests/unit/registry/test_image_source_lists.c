/* SPDX-License-Identifier: MIT */
/* Lists of names and of referrers, on a registry that is scripted. */
#include <errno.h>

#include "tests/unit/scripted_registry.h"

struct seen {
	size_t n, stop_at;
	bool in_order;
};

static int on_name(void *arg, const char *name)
{
	struct seen *s = arg;
	char want[40];

	snprintf(want, sizeof(want), "name%zu", s->n);
	s->in_order &= strcmp(name, want) == 0;
	return ++s->n == s->stop_at ? -ECANCELED : 0;
}

static void test_lists(void)
{
	static const struct {
		int pages;
		size_t n;
		unsigned breaks;
		int status, rc;
		size_t told;
		unsigned asked; /* 0: not counted */
		const char *what;
	} rows[] = {
		{BY_LINK, 3, 0, 0, 0, 3, 1, "one page"},
		{BY_LINK, 0, 0, 0, 0, 0, 1, "none"},
		{BY_LINK, 10000, 0, 0, 0, 10000, 10, "ten pages by their links"},
		{BY_LINK, 2500, 2, 0, 0, 2500, 5, "two of them broken off"},
		{BY_LAST, 2500, 0, 0, 0, 2500, 3, "pages without links"},
		{BY_LAST, 2000, 0, 0, 0, 2000, 3, "and the last of them full"},
		{AT_ONCE, 2500, 0, 0, 0, 2500, 1, "all at once"},
		{AT_ONCE, 1000, 0, 0, 0, 1000, 2, "as many as a page has"},
		{ROUND, 5, 0, 0, 0, 5, 2, "links in a circle"},
		{NO_LIST, 5, 0, 0, -EBADMSG, 0, 1, "no JSON"},
		{BY_LINK, 5, 0, 404, -ENOENT, 0, 1, "no such repository"},
		{BY_LINK, 5, 0, 403, -EACCES, 0, 1, "refused"},
		{BY_LINK, 5, 0, 405, -ENOTSUP, 0, 1, "not offered"},
	};
	struct client *c;
	struct image_source *o;
	char host[40];
	size_t i;

	snprintf(host, sizeof(host), "127.0.0.1:%u", web.port);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct seen tags = {.in_order = true}, repositories = {.in_order = true};
		struct err e = {""};

		memset(&how, 0, sizeof(how));
		how.pages = rows[i].pages;
		how.n_names = rows[i].n;
		how.breaks = rows[i].breaks;
		how.status = rows[i].status;
		c = client_start();
		o = start(c, "a");
		is_int(image_source_tags(o, on_name, &tags, &e), rows[i].rc, "%s %s",
		       rows[i].what, e.text);
		ok(tags.n == rows[i].told && tags.in_order, "all are told, once");
		if (rows[i].asked)
			is_int(n_asked, rows[i].asked, "requests");
		is_int(image_source_catalog(c, host, on_name, &repositories, &e),
		       rows[i].status && rows[i].rc != -EACCES ? -ENOTSUP : rows[i].rc,
		       "as a catalog %s", e.text);
		ok(repositories.n == rows[i].told && repositories.in_order,
		   "the same names");
		image_source_close(o);
		client_free(c);
	}
}

static void test_list_stops(void)
{
	struct seen seen = {.in_order = true, .stop_at = 1500};
	struct client *c = client_start();
	struct image_source *o = start(c, "a");

	memset(&how, 0, sizeof(how));
	how.n_names = 5000;
	is_int(image_source_tags(o, on_name, &seen, NULL), -ECANCELED,
	       "who has enough is obeyed");
	is_int(seen.n, 1500, "at once");
	is_int(n_asked, 2, "and no more is asked");
	how.status = 401;
	is_int(image_source_catalog(c, "no host/", on_name, &seen, NULL), -EINVAL,
	       "no host");
	image_source_close(o);
	client_free(c);
}

struct match {
	char types[100];
	struct descriptor artifact; /* digest and size alone */
};

static int on_referrer(void *arg, const struct descriptor *d)
{
	struct match *f = arg;

	strcat(f->types, d->artifact_type ? d->artifact_type : "?");
	strcat(f->types, " ");
	f->artifact.digest = d->digest;
	f->artifact.size = d->size;
	return 0;
}

static void test_referrers(void)
{
	static const struct {
		int how;
		const char *type, *want;
		bool cosign;
	} rows[] = {
		{API, NULL, "type/0 type/1 type/2 ", false},
		{API, NULL, "type/0 type/1 type/2 type/1 ", true},
		{NO_API, NULL, "type/1 ", true},
		{NO_API, "type/1", "type/1 ", true},
		{NO_API, "type/9", "", true},
		{API, "type/1", "type/1 ", false},
		{API, "type/9", "", false},
		{OLD, NULL, "type/0 type/1 ", false},
		{WEB_PAGE, "type/1", "type/1 ", false},
		{NO_API, NULL, "", false},
	};
	struct client *c = client_start();
	struct match own = {.types = ""};
	struct digest of;
	struct image_source *o;
	char name[200];
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct match f = {.types = ""};
		struct image *img = NULL;
		struct err e = {""};

		memset(&how, 0, sizeof(how));
		how.referrers = rows[i].how;
		how.cosign = rows[i].cosign;
		snprintf(name, sizeof(name), "a@%s", digests[3]);
		o = start(c, name);
		if (digest_parse(digests[3], strlen(digests[3]), &of) < 0)
			exit(1);
		n_asked = n_cosign = 0;
		is_int(image_source_referrers(o, &of, rows[i].type, on_referrer, &f, &e),
		       0, "%s", e.text);
		is_text(f.types, rows[i].want, "those of type %s",
			rows[i].type ? rows[i].type : "any");
		is_int(n_cosign, 3, "each tag of cosign's is asked for once");
		is_int(n_asked, 6, "requests, one for the image, two for the list");
		if (f.artifact.size > 0) {
			is_int(image_source_resolve_entry(o, &f.artifact, &img, &e), 0,
			       "one of them %s", e.text);
			ok(img && img->is_artifact && img->n_layers == 1 &&
				   img->config.len == 2,
			   "is an artifact");
			ok(img && img->has_created && img->created == 1000000000,
			   "of some age");
			is_text(img ? descriptor_annotation(
					      &img->layers[0],
					      "org.opencontainers.image.title")
				    : NULL,
				"a.txt", "its blob has a name");
			is_int(img ? image_must_have_files(img, &e) : 0, -ENOTSUP,
			       "and can be refused: %s", e.text);
		}
		image_free(img);
		image_source_close(o);
	}
	memset(&how, 0, sizeof(how));
	how.referrers = OLD;
	o = start(c, "a:t");
	if (digest_parse(digests[3], strlen(digests[3]), &of) < 0)
		exit(1);
	is_int(image_source_referrers(o, &of, NULL, on_referrer, &own, NULL), 0,
	       "of an index");
	is_text(own.types, "? type/0 type/1 ", "its own is among them");
	image_source_close(o);
	client_free(c);
}

int main(void)
{
	registry_start();
	test_lists();
	test_list_stops();
	test_referrers();
	web_stop(&web);
	return test_done();
}
