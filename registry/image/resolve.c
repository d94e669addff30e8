/* SPDX-License-Identifier: MIT */
/*
 * An index may hold images with a platform, nested indexes, and images without a platform.
 * They are tried in this order: the best match among the images with a platform, then
 * each nested index, then the images without one, whose configs name their platform. Among
 * equal matches the first wins.
 */
#include "registry/image/resolve.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/rfc3339.h"
#include "registry/image/document_kind.h"
#include "registry/image/documents.h"
#include "registry/image/manifest.h"
#include "registry/image/nested.h"

/* At most so many entries without a platform are tried. */
#define UNNAMED_MAX 16

static int out_of_memory(struct err *e)
{
	return err_set(e, -ENOMEM, "out of memory");
}

/* Choice */

/* Digest, size and media type: what an image keeps of a document. */
static int copy_descriptor(const struct descriptor *d, struct descriptor *out)
{
	*out = (struct descriptor){
		.digest = d->digest,
		.size = d->size,
		.media_type = strdup(d->media_type ? d->media_type : ""),
		.artifact_type = d->artifact_type ? strdup(d->artifact_type) : NULL,
		.has_platform = d->has_platform,
		.platform = d->platform,
	};
	return out->media_type && !out->artifact_type == !d->artifact_type ? 0 : -ENOMEM;
}

struct search {
	struct backend *backend;
	const struct platform *want;
	int depth;
	/* the result; owned */
	struct descriptor found;
	struct buf manifest;
	struct buf platforms; /* those that did not match, as a text; cut if it is long */
};

static int search_index(struct search *s, const struct entries *en, struct err *e);

/* A missing document that an index names is damage, not the absence of a match. */
static int search_get(struct search *s, const struct descriptor *d, struct buf *out,
		      struct err *e)
{
	int rc = document_get(s->backend, d, out, e);

	return rc == -ENOENT ? -EIO : rc;
}

static int search_take(struct search *s, const struct descriptor *d, struct buf *bytes)
{
	if (copy_descriptor(d, &s->found) < 0)
		return -ENOMEM;
	s->manifest = *bytes;
	*bytes = (struct buf){0};
	return 0;
}

static void note_platform(struct search *s, const struct descriptor *d)
{
	char text[PLATFORM_TEXT_MAX];

	(void)buf_printf(&s->platforms, "%s%s", s->platforms.len ? ", " : "",
			 platform_format(&d->platform, '/', text));
}

static int search_best(struct search *s, const struct entries *en, struct err *e)
{
	const struct descriptor *best = NULL;
	unsigned score, most = 0;
	struct buf bytes;
	size_t i;
	int rc;

	for (i = 0; i < en->n; i++) {
		const struct descriptor *d = &en->list[i];

		if (document_kind_of(d->media_type) != DOCUMENT_MANIFEST ||
		    !d->has_platform)
			continue;
		score = platform_match(s->want, &d->platform);
		if (score == 0)
			note_platform(s, d);
		if (score > most) {
			most = score;
			best = d;
		}
	}
	if (!best)
		return -ENOENT;
	rc = search_get(s, best, &bytes, e);
	if (rc == 0)
		rc = search_take(s, best, &bytes);
	return rc;
}

static int search_nested(struct search *s, const struct entries *en, struct err *e)
{
	size_t i;
	int rc = -ENOENT;

	for (i = 0; i < en->n && rc == -ENOENT; i++) {
		const struct descriptor *d = &en->list[i];
		struct entries inner = {0};
		struct buf bytes;

		if (document_kind_of(d->media_type) != DOCUMENT_INDEX)
			continue;
		if (d->has_platform && !platform_match(s->want, &d->platform)) {
			note_platform(s, d);
			continue;
		}
		if (s->depth == NESTED_LEVELS_MAX)
			return err_set(e, -E2BIG,
				       "image indexes nested deeper than %d levels",
				       NESTED_LEVELS_MAX);
		rc = search_get(s, d, &bytes, e);
		if (rc < 0)
			break;
		rc = entries_parse(bytes.data, bytes.len, &inner, e);
		if (rc == 0) {
			s->depth++;
			rc = search_index(s, &inner, e);
			s->depth--;
		}
		entries_release(&inner);
		buf_release(&bytes);
	}
	return rc;
}

/* 0 if the config of this manifest suits, -ENOENT if not. */
static int search_suits(struct search *s, const struct buf *bytes, struct err *e)
{
	struct manifest m = {0};
	struct config c = {0};
	struct buf config = {0};
	int rc = manifest_parse(bytes->data, bytes->len, &m, e);

	if (rc == 0 && m.is_artifact)
		rc = -ENOENT;
	if (rc == 0)
		rc = document_get(s->backend, &m.config, &config, e);
	if (rc == 0)
		rc = config_parse(config.data, config.len, &c, e);
	if (rc == 0 && !platform_match(s->want, &c.platform))
		rc = -ENOENT;
	config_release(&c);
	manifest_release(&m);
	buf_release(&config);
	return rc;
}

static int search_unnamed(struct search *s, const struct entries *en, struct err *e)
{
	size_t i, tried = 0;
	int rc = -ENOENT;

	for (i = 0; i < en->n && tried < UNNAMED_MAX; i++) {
		const struct descriptor *d = &en->list[i];
		struct buf bytes;

		if (document_kind_of(d->media_type) != DOCUMENT_MANIFEST ||
		    d->has_platform)
			continue;
		tried++;
		rc = search_get(s, d, &bytes, e);
		if (rc < 0)
			return rc;
		rc = search_suits(s, &bytes, e);
		if (rc == 0)
			rc = search_take(s, d, &bytes);
		buf_release(&bytes);
		if (rc == 0 || rc == -EIO || rc == -ENOMEM)
			return rc;
	}
	return -ENOENT;
}

static int search_index(struct search *s, const struct entries *en, struct err *e)
{
	int rc = search_best(s, en, e);

	if (rc == -ENOENT)
		rc = search_nested(s, en, e);
	if (rc == -ENOENT)
		rc = search_unnamed(s, en, e);
	return rc;
}

static int no_match(const struct search *s, struct err *e)
{
	char text[PLATFORM_TEXT_MAX];

	return err_set(e, -ENOENT,
		       "no image for %s, only for %s (choose one with -o platform=)",
		       platform_format(s->want, '/', text),
		       s->platforms.len ? buf_text(&s->platforms) : "no known platform");
}

/* Putting the image together */

/* Of an index with the entries @en, if it has the image. */
static int image_set_platforms(struct backend *b, struct image *img, struct entries *en)
{
	struct entries images = {0};
	struct err why = {""};
	int rc = nested_images(b, en, &images, &why);

	if (rc == 0)
		rc = nested_give_platforms(&images, img);
	if (rc == 0 && why.text[0])
		rc = (img->warning = strdup(why.text)) ? 0 : -ENOMEM;
	entries_release(&images);
	return rc;
}

static int copy_root(const struct buf *root, const struct descriptor *d,
		     const char *media, struct buf *bytes, struct descriptor *out)
{
	int rc;

	buf_init(bytes, DOCUMENT_MAX);
	rc = buf_append(bytes, root->data, root->len);
	if (rc == 0)
		rc = copy_descriptor(d, out);
	if (rc == 0 && media[0]) {
		free(out->media_type);
		out->media_type = strdup(media);
		rc = out->media_type ? 0 : -ENOMEM;
	}
	return rc;
}

static int image_choose(struct backend *b, const struct buf *root,
			const struct descriptor *d, const char *media,
			const struct platform *want, struct image *img, struct err *e)
{
	struct search s = {.backend = b, .want = want};
	struct entries en = {0};
	int rc = entries_parse(root->data, root->len, &en, e);

	if (rc < 0)
		return rc;
	buf_init(&s.platforms, ERR_TEXT_MAX / 2);
	rc = search_index(&s, &en, e);
	img->manifest = s.manifest;
	img->manifest_descriptor = s.found;
	if (rc == -ENOENT)
		rc = no_match(&s, e);
	buf_release(&s.platforms);
	if (rc == 0) {
		img->has_index = true;
		rc = copy_root(root, d, media, &img->index, &img->index_descriptor);
	}
	if (rc == 0)
		rc = image_set_platforms(b, img, &en);
	entries_release(&en);
	return rc;
}

/* Takes diff IDs, platform and time from the config of an image. */
static int image_fill_config(struct image *img, struct manifest *m, struct err *e)
{
	struct config c = {0};
	int rc = config_parse(img->config.data, img->config.len, &c, e);

	if (rc == 0 && m->n_layers != c.n_diff_ids)
		rc = err_set(
			e, -EBADMSG,
			"the manifest has %zu layers, but its config has %zu diff IDs",
			m->n_layers, c.n_diff_ids);
	if (rc == 0) {
		img->diff_ids = c.diff_ids;
		c.diff_ids = NULL;
		img->platform = c.platform;
		img->has_created = c.has_created;
		img->created = c.created;
	}
	config_release(&c);
	return rc;
}

static void image_fill_artifact(struct image *img, struct manifest *m)
{
	const char *created;

	img->is_artifact = true;
	img->artifact_type = m->artifact_type;
	m->artifact_type = NULL;
	created = image_annotation(img, "org.opencontainers.image.created");
	img->has_created = created &&
			   rfc3339_parse(created, strlen(created), &img->created, NULL);
}

static int image_fill(struct backend *b, struct image *img, struct err *e)
{
	struct manifest m = {0};
	int rc = manifest_parse(img->manifest.data, img->manifest.len, &m, e);

	if (rc == 0)
		rc = document_get(b, &m.config, &img->config, e);
	if (rc == 0 && !m.is_artifact)
		rc = image_fill_config(img, &m, e);
	if (rc == 0) {
		img->config_descriptor = m.config;
		img->annotations = m.annotations;
		img->n_annotations = m.n_annotations;
		img->layers = m.layers;
		img->n_layers = m.n_layers;
		if (m.is_artifact)
			image_fill_artifact(img, &m);
		free(m.artifact_type);
		m = (struct manifest){0};
	}
	manifest_release(&m);
	return rc;
}

static int image_build(struct backend *b, const struct buf *root,
		       const struct descriptor *d, const struct platform *want,
		       struct image *img, struct err *e)
{
	enum document_kind kind;
	const char *media = "";
	int rc = document_kind(root->data, root->len, d->media_type, &kind, &media, e);

	if (rc < 0)
		return rc;
	switch (kind) {
	case DOCUMENT_INDEX:
		rc = image_choose(b, root, d, media, want, img, e);
		break;
	case DOCUMENT_MANIFEST:
		rc = copy_root(root, d, media, &img->manifest, &img->manifest_descriptor);
		break;
	case DOCUMENT_SCHEMA1:
		return err_set(
			e, -ENOTSUP,
			"an image of Docker's schema 1, which is not supported: push it "
			"again with a current tool");
	default:
		return err_set(e, -ENOTSUP,
			       "neither an image nor an image index, but %.100s",
			       d->media_type && d->media_type[0] ? d->media_type
								 : "something else");
	}
	if (rc == -ENOMEM)
		return out_of_memory(e);
	return rc < 0 ? rc : image_fill(b, img, e);
}

/*
 * If @root is an index that has the image, perhaps in an index inside: keeps the index and its
 * other images.
 */
static int image_set_index(struct backend *b, const struct buf *root,
			   const struct descriptor *d, struct image *img)
{
	const char *media = "";
	enum document_kind kind;
	struct entries en = {0}, images = {0};
	int rc = document_kind(root->data, root->len, d->media_type, &kind, &media, NULL);

	if (rc == 0 && kind == DOCUMENT_INDEX)
		rc = entries_parse(root->data, root->len, &en, NULL);
	if (rc < 0)
		return rc == -ENOMEM ? rc : 0;
	rc = nested_images(b, &en, &images, NULL);
	if (rc == 0 && nested_has(&images, &img->manifest_descriptor.digest)) {
		img->has_index = true;
		rc = copy_root(root, d, media, &img->index, &img->index_descriptor);
		if (rc == 0)
			rc = nested_give_platforms(&images, img);
	}
	entries_release(&images);
	entries_release(&en);
	return rc;
}

static int image_build_entry(struct backend *b, const struct buf *root,
			     const struct descriptor *d, const struct descriptor *entry,
			     struct image *img, struct err *e)
{
	int rc;

	if (digest_equal(&d->digest, &entry->digest)) {
		rc = copy_root(root, d, "", &img->manifest, &img->manifest_descriptor);
	} else {
		rc = document_get(b, entry, &img->manifest, e);
		if (rc < 0)
			return rc;
		rc = copy_descriptor(entry, &img->manifest_descriptor);
		if (rc == 0)
			rc = image_set_index(b, root, d, img);
	}
	return rc < 0 ? out_of_memory(e) : image_fill(b, img, e);
}

/* The image of @entry or, if that is NULL, the best one for @want. */
static int resolve(struct backend *b, const struct buf *root, const struct descriptor *d,
		   const struct descriptor *entry, const struct platform *want,
		   struct image **out, struct err *e)
{
	struct image *img = calloc(1, sizeof(*img));
	int rc;

	if (!img)
		return out_of_memory(e);
	img->name = strdup(b->name);
	img->tags = b->tags ? strdup(b->tags) : NULL;
	if (!img->name || !img->tags != !b->tags)
		rc = out_of_memory(e);
	else if (entry)
		rc = image_build_entry(b, root, d, entry, img, e);
	else
		rc = image_build(b, root, d, want, img, e);
	if (rc < 0) {
		image_free(img);
		return err_prefix(e, rc, "%s", b->name);
	}
	*out = img;
	return 0;
}

int resolve_image(struct backend *b, const struct buf *root, const struct descriptor *d,
		  const struct platform *want, struct image **out, struct err *e)
{
	return resolve(b, root, d, NULL, want, out, e);
}

int resolve_entry(struct backend *b, const struct buf *root, const struct descriptor *d,
		  const struct descriptor *entry, struct image **out, struct err *e)
{
	return resolve(b, root, d, entry, NULL, out, e);
}
