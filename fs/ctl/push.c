/* SPDX-License-Identifier: MIT */
#include "fs/ctl/push.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/buf.h"
#include "base/err.h"
#include "fs/ctl/ctl.h"
#include "fs/ctl/push_trace.h"
#include "fs/ctl/reader.h"
#include "fs/ctl/words.h"
#include "fs/image/layers.h"
#include "registry/image_source.h"
#include "tar/layer.h"
#include "tar/toc/push.h"

/* The largest packed index that a reader takes (tar/toc/pushed_format.h). */
#define PACKED_MAX (64u << 20)

/* What is asked for; the texts are borrowed from the words. */
struct request {
	const char *platform; /* "all", OS/ARCH[/VARIANT], or NULL: as -o says */
	bool dry_run;
	bool is_trace; /* of a mount */
};

/* The indexes of one image. */
struct pushing {
	const struct view *view;
	struct buf *packed;	   /* one for each layer */
	struct pushed_index *list; /* of those that are to be pushed */
	size_t n;
	uint64_t layers_size; /* of these layers */
};

static double to_kib(uint64_t bytes)
{
	return (double)bytes / (1 << 10);
}

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

/* Packs the index of layer @i. What cannot be pushed is said, and left out. */
static int pack_layer(struct pushing *p, size_t i)
{
	const struct mount_layer *l = p->view->layers.own[i];
	const struct index *ix = layer_index(l->layer);
	const char *basis = index_basis_name(index_info(ix)->basis);
	struct buf *packed = &p->packed[i];
	char text[DIGEST_TEXT_MAX];
	struct err e;
	int rc;

	digest_format(&l->descriptor.digest, text);
	if (index_info(ix)->basis != BASIS_STREAM) {
		ctl_print("%s  has a table of contents of its own (%s)", text, basis);
		return 0;
	}
	rc = push_write(ix, packed, &e);
	if (rc == -E2BIG || rc == -ENOTSUP) {
		ctl_print("%s  is left out: %s", text, e.text);
		return 0;
	}
	if (rc < 0)
		return ctl_error("layer %s: %s", text, e.text);
	ctl_print("%s  %10.1f KiB  %6.2f %% of the layer", text, to_kib(packed->len),
		  percent(packed->len, l->descriptor.size));
	p->list[p->n++] = (struct pushed_index){
		.layer = &l->descriptor.digest,
		.data = packed->data,
		.len = packed->len,
	};
	p->layers_size += l->descriptor.size;
	return 0;
}

static void print_report(const struct pushing *p, const struct request *rq,
			 const struct push_report *r)
{
	const char *what = rq->dry_run ? "would push" : r->sent ? "pushed" : "is there";
	char text[DIGEST_TEXT_MAX];

	ctl_print("%s  %s: %.1f KiB for %zu layer%s, %.2f %%",
		  digest_format(&r->artifact, text), what, to_kib(r->size), p->n,
		  p->n == 1 ? "" : "s", percent(r->size, p->layers_size));
}

static int push_layers(struct pushing *p, const struct request *rq)
{
	const struct view *v = p->view;
	struct push_report report;
	struct err e = {""};
	int status = 0;
	size_t i;

	for (i = 0; i < v->layers.n_own && status == 0; i++)
		status = pack_layer(p, i);
	if (status != 0)
		return status;
	if (p->n == 0) {
		ctl_print("%s: no layer needs an index", v->image->name);
		return 0;
	}
	if (image_source_push_indexes(v->image_source, v->image, p->list, p->n,
				      rq->dry_run, &report, &e) < 0)
		return ctl_error("%s", e.text);
	print_report(p, rq, &report);
	return 0;
}

/* All layers are loaded, and none is broken. */
static int push_view(const struct view *v, const struct request *rq)
{
	size_t n = v->layers.n_own, i;
	struct pushing p = {
		.view = v,
		.packed = calloc(n + 1, sizeof(*p.packed)),
		.list = calloc(n + 1, sizeof(*p.list)),
	};
	int status = p.packed && p.list ? 0 : ctl_error("out of memory");

	for (i = 0; status == 0 && i < n; i++)
		buf_init(&p.packed[i], PACKED_MAX);
	if (status == 0)
		status = push_layers(&p, rq);
	for (i = 0; p.packed && i < n; i++)
		buf_release(&p.packed[i]);
	free(p.packed);
	free(p.list);
	return status;
}

static int load_layers(struct reader *r, struct err *e)
{
	struct view *v = r->mount.images.first;
	const struct mount_layer *broken;
	size_t i = 0;
	int rc = image_must_have_files(v->image, e);

	r->log.on_error = NULL;
	if (rc == 0)
		rc = mount_load_tree(&r->mount, e);
	broken = rc == 0 ? layer_list_broken(&v->layers, &i) : NULL;
	return broken ? err_set(e, -EBADMSG, "%s", mount_layer_why(broken)) : rc;
}

/* The platforms of an index, as values of -o platform=. */
struct platforms {
	char (*list)[PLATFORM_TEXT_MAX];
	size_t n;
};

static int add_platform(struct platforms *ps, const struct platform *platform)
{
	int rc = array_grow(&ps->list, ps->n, sizeof(*ps->list));

	if (rc == 0)
		platform_format(platform, '/', ps->list[ps->n++]);
	return rc;
}

/* All but that of the image itself. */
static int list_platforms(const struct image *img, struct platforms *ps)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < img->n_platforms && rc == 0; i++) {
		if (img->platforms[i].has_platform)
			rc = add_platform(ps, &img->platforms[i].platform);
	}
	return rc;
}

/*
 * Pushes the indexes of the image for @platform, as -o has it; NULL: as the options say.
 * @others gets the other platforms; NULL: they are not wanted. What is pushed must have been made
 * from the layer itself.
 */
static int push_image(const struct words *words, const struct request *rq,
		      const char *platform, struct platforms *others)
{
	char options[PLATFORM_TEXT_MAX + sizeof("index=none,platform=")];
	struct err e = {""};
	struct reader r;
	struct words w;
	int status = 0, rc;

	snprintf(options, sizeof(options), "index=none%s%s", platform ? ",platform=" : "",
		 platform ? platform : "");
	if (words_add(words, options, &w) < 0)
		return ctl_error("out of memory");
	rc = reader_open(&r, &w, w.operands[0], &e);
	if (rc == 0 && image_source_is_local(r.mount.images.first->image_source))
		rc = err_set(&e, -ENOTSUP,
			     "%s: not in a registry, so nothing can be pushed",
			     r.mount.images.first->image->name);
	if (rc == 0 && others)
		rc = list_platforms(r.mount.images.first->image, others);
	if (rc == 0)
		rc = load_layers(&r, &e);
	if (rc < 0)
		status = ctl_error("%s", e.text[0] ? e.text : strerror(-rc));
	else
		status = push_view(r.mount.images.first, rq);
	reader_close(&r);
	words_release_added(&w);
	return status;
}

/* One image after the other; a failure does not end it. */
static int push_all(const struct words *w, const struct request *rq)
{
	struct platforms others = {0};
	int status = push_image(w, rq, NULL, &others), one;
	size_t i;

	for (i = 0; i < others.n; i++) {
		ctl_print("%s:", others.list[i]);
		one = push_image(w, rq, others.list[i], NULL);
		status = status ? status : one;
	}
	free(others.list);
	return status;
}

static int push_work(const struct words *w, void *arg)
{
	const struct request *rq = arg;

	if (rq->is_trace && rq->platform)
		return ctl_usage("index push: --trace has the platform of the mount");
	if (rq->is_trace)
		return push_trace(w, rq->dry_run);
	if (rq->platform && strcmp(rq->platform, "all") == 0)
		return push_all(w, rq);
	return push_image(w, rq, rq->platform, NULL);
}

int push_run(char **words)
{
	static const struct reader_command push = {"index push", "an image or a mount", 1,
						   1, push_work};
	struct request rq = {.platform = NULL};
	const struct word_flag flags[] = {
		{.name = "platform", .value = &rq.platform},
		{.name = "dry-run", .on = &rq.dry_run},
		{.name = "trace", .on = &rq.is_trace},
		{.letter = '\0'},
	};

	return reader_run(&push, words, flags, &rq);
}
