/* SPDX-License-Identifier: MIT */
/*
 * The output of `docker save`, old or new.
 *
 * manifest.json names the config and the layers of each image by their paths in the
 * archive. There is no image manifest, so this file writes one. The digest of an uncompressed
 * layer is its diff ID. The digest of a compressed layer is in its path ("blobs/sha256/HEX"),
 * or else the layer is hashed.
 */
#include "registry/disk/docker_archive.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/json.h"
#include "base/source.h"
#include "registry/disk/archive.h"
#include "registry/disk/file.h"
#include "registry/image/document_kind.h"
#include "registry/image/manifest.h"
#include "registry/image/reference.h"

/* A blob of the image: its digest in the manifest and its path in the archive. */
struct blob_place {
	struct digest digest;
	char *path;
};

struct docker_archive {
	struct backend backend;
	struct archive *archive;
	char *wanted; /* a reference or "@NUMBER"; NULL: the only image */
	/* Set by root(), read-only afterwards. */
	struct blob_place *blobs; /* the layers, then the config */
	size_t n_blobs;
};

/* As Go's decoder, which reads this file in Docker: without regard to case. */
static const struct json *find_member(const struct json *j, const char *key)
{
	const struct json *value = json_member(j, key);
	size_t i;

	for (i = 0; !value && json_key(j, i); i++) {
		if (strcasecmp(json_key(j, i), key) == 0)
			value = json_value(j, i);
	}
	return value;
}

/* Choice of the image */

/* Compares two references in any spelling. */
static bool is_same_reference(const char *a, const char *b)
{
	char full_a[REFERENCE_TEXT_MAX], full_b[REFERENCE_TEXT_MAX];
	struct reference ra, rb;

	if (strcmp(a, b) == 0)
		return true;
	return reference_parse(a, &ra, NULL) == 0 && reference_parse(b, &rb, NULL) == 0 &&
	       strcmp(reference_format(&ra, full_a), reference_format(&rb, full_b)) == 0;
}

static const struct json *find_image(const struct docker_archive *da,
				     const struct json *images)
{
	char *end;
	size_t i, j;

	if (!da->wanted)
		return json_count(images) == 1 ? json_item(images, 0) : NULL;
	if (da->wanted[0] == '@') {
		i = strtoul(da->wanted + 1, &end, 10);
		return end > da->wanted + 1 && !*end ? json_item(images, i) : NULL;
	}
	for (i = 0; i < json_count(images); i++) {
		const struct json *tags = find_member(json_item(images, i), "RepoTags");

		for (j = 0; j < json_count(tags); j++) {
			const char *tag = json_string(json_item(tags, j));

			if (tag && is_same_reference(tag, da->wanted))
				return json_item(images, i);
		}
	}
	return NULL;
}

static int no_such_image(const struct docker_archive *da, const struct json *images,
			 struct err *e)
{
	struct buf list;
	size_t i, j;
	int rc;

	buf_init(&list, ERR_TEXT_MAX / 2);
	for (i = 0; i < json_count(images); i++) {
		const struct json *tags = find_member(json_item(images, i), "RepoTags");

		for (j = 0; j < json_count(tags); j++) {
			const char *tag = json_string(json_item(tags, j));

			if (tag &&
			    buf_printf(&list, "%s%s", list.len ? ", " : "", tag) < 0)
				break;
		}
	}
	if (da->wanted)
		rc = err_set(e, -ENOENT, "no image has the name %s; the names are: %s",
			     da->wanted, list.len ? buf_text(&list) : "none");
	else
		rc = err_set(
			e, -ENOENT,
			"it contains %zu images; append :NAME or :@0, :@1, ... to choose "
			"one; the names are: %s",
			json_count(images), list.len ? buf_text(&list) : "none");
	buf_release(&list);
	return rc;
}

/* Its manifest */

static bool is_compressed(const unsigned char *head, size_t n)
{
	return n >= 4 &&
	       ((head[0] == 0x1f && head[1] == 0x8b) ||
		memcmp(head, "\x28\xb5\x2f\xfd", 4) == 0 ||
		((head[0] & 0xf0) == 0x50 && memcmp(head + 1, "\x2a\x4d\x18", 3) == 0));
}

/* "blobs/sha256/HEX" */
static bool digest_of_path(const char *path, struct digest *out)
{
	char text[DIGEST_TEXT_MAX];
	const char *alg = strstr(path, "blobs/"), *hex;

	if (!alg || strlen(alg) >= sizeof(text))
		return false;
	alg += strlen("blobs/");
	hex = strchr(alg, '/');
	if (!hex)
		return false;
	snprintf(text, sizeof(text), "%.*s:%s", (int)(hex - alg), alg, hex + 1);
	return digest_parse(text, strlen(text), out) == 0;
}

static int hash_source(struct source *from, struct digest *out, struct err *e)
{
	struct stream *st = NULL;
	struct hasher *h = NULL;
	const void *data;
	ssize_t n;
	int rc = hasher_new(DIGEST_SHA256, &h);

	if (rc == 0)
		rc = source_stream(from, 0, &st, e);
	while (rc == 0 && (n = stream_next(st, &data, e)) != 0) {
		if (n < 0)
			rc = (int)n;
		else
			hasher_update(h, data, (size_t)n);
	}
	if (rc == 0)
		hasher_finish(h, out);
	stream_close(st);
	hasher_free(h);
	return rc;
}

/* The digest and media type of a layer. */
static int identify_layer(struct source *from, const char *path,
			  const struct digest *diff_id, struct digest *digest,
			  const char **media, struct err *e)
{
	unsigned char head[4] = {0};
	ssize_t n = source_pread(from, head, sizeof(head), 0, e);

	if (n < 0)
		return (int)n;
	if (!is_compressed(head, (size_t)n)) {
		*media = MEDIA_DOCKER_LAYER;
		*digest = *diff_id;
		return 0;
	}
	*media = head[0] == 0x1f ? MEDIA_DOCKER_LAYER ".gzip"
				 : MEDIA_DOCKER_LAYER ".zstd";
	return digest_of_path(path, digest) ? 0 : hash_source(from, digest, e);
}

static int append_descriptor(struct buf *out, const char *media, const struct digest *d,
			     uint64_t size)
{
	char text[DIGEST_TEXT_MAX];

	return buf_printf(out, "{\"mediaType\":\"%s\",\"size\":%llu,\"digest\":\"%s\"}",
			  media, (unsigned long long)size, digest_format(d, text));
}

static int add_blob(struct docker_archive *da, const char *path, const struct digest *d)
{
	struct blob_place *p = &da->blobs[da->n_blobs];

	p->digest = *d;
	p->path = strdup(path);
	da->n_blobs++;
	return p->path ? 0 : -ENOMEM;
}

static int add_layer(struct docker_archive *da, const char *path,
		     const struct digest *diff_id, struct buf *manifest, struct err *e)
{
	struct source *from = NULL;
	struct digest d;
	const char *media = "";
	int rc;

	if (!path)
		return err_set(e, -EBADMSG, "manifest.json: a layer has no path");
	rc = archive_member(da->archive, path, &from, e);
	if (rc < 0)
		return rc;
	rc = identify_layer(from, path, diff_id, &d, &media, e);
	if (rc == 0)
		rc = append_descriptor(manifest, media, &d, from->size);
	if (rc == 0)
		rc = add_blob(da, path, &d);
	source_unref(from);
	return rc;
}

static int add_layers(struct docker_archive *da, const struct json *layers,
		      const struct config *c, struct buf *manifest, struct err *e)
{
	size_t i;
	int rc = 0;

	if (json_count(layers) != c->n_diff_ids)
		return err_set(
			e, -EBADMSG,
			"manifest.json has %zu layers, but the config has %zu diff IDs",
			json_count(layers), c->n_diff_ids);
	da->blobs = calloc(c->n_diff_ids + 1, sizeof(*da->blobs));
	if (!da->blobs)
		return -ENOMEM;
	for (i = 0; i < c->n_diff_ids && rc == 0; i++) {
		if (i > 0)
			rc = buf_append_text(manifest, ",");
		if (rc == 0)
			rc = add_layer(da, json_string(json_item(layers, i)),
				       &c->diff_ids[i], manifest, e);
	}
	return rc;
}

/* Writes the manifest that the archive lacks. */
static int write_manifest(struct docker_archive *da, const struct json *image,
			  const struct buf *config, struct buf *out, struct err *e)
{
	const char *path = json_string(find_member(image, "Config"));
	struct config c = {0};
	struct digest d;
	int rc = config_parse(config->data, config->len, &c, e);

	if (rc == 0)
		rc = digest_of(DIGEST_SHA256, config->data, config->len, &d);
	if (rc == 0)
		rc = buf_append_text(
			out, "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_DOCKER_MANIFEST
			     "\",\"config\":");
	if (rc == 0)
		rc = append_descriptor(out, MEDIA_DOCKER_CONFIG, &d, config->len);
	if (rc == 0)
		rc = buf_append_text(out, ",\"layers\":[");
	if (rc == 0)
		rc = add_layers(da, find_member(image, "Layers"), &c, out, e);
	if (rc == 0)
		rc = buf_append_text(out, "]}");
	if (rc == 0)
		rc = add_blob(da, path, &d);
	config_release(&c);
	return rc;
}

static int read_member(struct docker_archive *da, const char *path, struct buf *out,
		       struct err *e)
{
	struct source *from = NULL;
	int rc = archive_member(da->archive, path, &from, e);

	if (rc < 0)
		return rc;
	rc = file_read(from, out, e);
	source_unref(from);
	return rc < 0 ? err_prefix(e, rc, "%s", path) : 0;
}

/* The list of images. */
static int read_list(struct docker_archive *da, struct buf *out, struct err *e)
{
	struct source *s = NULL;
	int rc = read_member(da, "manifest.json", out, e);
	bool is_oci;

	if (rc != -ENOENT)
		return rc;
	is_oci = archive_member(da->archive, "index.json", &s, NULL) == 0;

	source_unref(s);
	return err_set(e, rc, "not made by docker save: it has no manifest.json%s",
		       is_oci ? "; as oci-archive: it can be read" : "");
}

static void forget_blobs(struct docker_archive *da)
{
	size_t i;

	for (i = 0; i < da->n_blobs; i++)
		free(da->blobs[i].path);
	free(da->blobs);
	da->blobs = NULL;
	da->n_blobs = 0;
}

static int set_tags(struct docker_archive *da, const struct json *image)
{
	const struct json *tags = find_member(image, "RepoTags");
	struct buf list;
	size_t i;
	int rc = 0;

	buf_init(&list, DOCUMENT_MAX);
	for (i = 0; rc == 0 && i < json_count(tags); i++) {
		const char *tag = json_string(json_item(tags, i));

		if (tag && !strchr(tag, '\n'))
			rc = buf_printf(&list, "%s\n", tag);
	}
	free(da->backend.tags);
	da->backend.tags = strdup(buf_text(&list));
	buf_release(&list);
	return rc < 0 || da->backend.tags ? rc : -ENOMEM;
}

static int build_manifest(struct docker_archive *da, const struct json *images,
			  struct buf *bytes, struct err *e)
{
	const struct json *image = find_image(da, images);
	const char *path = json_string(find_member(image, "Config"));
	struct buf config;
	int rc;

	if (!image)
		return no_such_image(da, images, e);
	if (!path)
		return err_set(e, -EBADMSG, "manifest.json: the image has no config");
	buf_init(&config, DOCUMENT_MAX);
	forget_blobs(da);
	rc = read_member(da, path, &config, e);
	if (rc == 0)
		rc = write_manifest(da, image, &config, bytes, e);
	if (rc == 0)
		rc = set_tags(da, image);
	buf_release(&config);
	return rc;
}

static int docker_archive_root(struct backend *b, struct buf *bytes,
			       struct descriptor *out, struct err *e)
{
	struct docker_archive *da = (struct docker_archive *)b;
	struct descriptor d = {0};
	struct json *images = NULL;
	struct buf text;
	int rc;

	buf_init(&text, DOCUMENT_MAX);
	rc = archive_scan(da->archive, e);
	if (rc == 0)
		rc = read_list(da, &text, e);
	if (rc == 0)
		rc = json_parse(buf_text(&text), text.len, &images, e);
	if (rc == 0)
		rc = build_manifest(da, images, bytes, e);
	if (rc == 0)
		rc = digest_of(DIGEST_SHA256, bytes->data, bytes->len, &d.digest);
	if (rc == 0) {
		d.size = bytes->len;
		d.media_type = strdup(MEDIA_DOCKER_MANIFEST);
		rc = d.media_type ? 0 : -ENOMEM;
	}
	json_free(images);
	buf_release(&text);
	if (rc == -ENOMEM)
		err_set(e, rc, "out of memory");
	if (rc < 0)
		return err_prefix(e, rc, "%s", b->name);
	*out = d;
	return 0;
}

static int open_blob(struct docker_archive *da, const struct digest *d,
		     struct source **out, struct err *e)
{
	char text[DIGEST_TEXT_MAX];
	size_t i;

	for (i = 0; i < da->n_blobs; i++) {
		if (digest_equal(&da->blobs[i].digest, d))
			return archive_member(da->archive, da->blobs[i].path, out, e);
	}
	return err_set(e, -ENOENT, "%s: not in the archive", digest_format(d, text));
}

static int docker_archive_document(struct backend *b, const struct descriptor *d,
				   struct buf *bytes, struct err *e)
{
	struct source *from = NULL;
	int rc = open_blob((struct docker_archive *)b, &d->digest, &from, e);

	if (rc == 0)
		rc = file_read(from, bytes, e);
	source_unref(from);
	return rc;
}

static int docker_archive_blob(struct backend *b, const struct descriptor *d,
			       struct source **out, struct err *e)
{
	int rc = open_blob((struct docker_archive *)b, &d->digest, out, e);

	return rc < 0 ? err_prefix(e, rc, "%s", b->name) : 0;
}

static void docker_archive_close(struct backend *b)
{
	struct docker_archive *da = (struct docker_archive *)b;

	forget_blobs(da);
	archive_free(da->archive);
	free(da->wanted);
	free(b->name);
	free(b->tags);
	free(da);
}

static const struct backend_ops docker_archive_ops = {
	.root = docker_archive_root,
	.document = docker_archive_document,
	.blob = docker_archive_blob,
	.close = docker_archive_close,
};

int docker_archive_open(const char *source, const char *text,
			const struct archive_helper *h, struct backend **out,
			struct err *e)
{
	struct docker_archive *da = calloc(1, sizeof(*da));
	char *path = NULL;
	int rc;

	if (!da)
		return err_set(e, -ENOMEM, "out of memory");
	da->backend.ops = &docker_archive_ops;
	da->backend.is_local = true;
	da->backend.transport = "docker-archive";
	da->backend.name = strdup(source);
	rc = file_split(text, &path, &da->wanted);
	if (rc < 0 || !da->backend.name)
		rc = err_set(e, -ENOMEM, "out of memory");
	else
		rc = archive_open(path, h, &da->archive, e);
	free(path);
	if (rc < 0)
		docker_archive_close(&da->backend);
	else
		*out = &da->backend;
	return rc;
}
