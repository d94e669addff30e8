/* SPDX-License-Identifier: MIT */
/*
 * Documents are foreign bytes. A member that is null or of an unexpected type counts as
 * absent. If an image cannot be shown without it (config, digests, sizes), its absence is an
 * error that names it; other members are optional.
 */
#include "registry/image/manifest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/rfc3339.h"
#include "registry/image/document_kind.h"
#include "registry/image/image.h"

static int out_of_memory(struct err *e)
{
	return err_set(e, -ENOMEM, "out of memory");
}

/* Index */

/*
 * Not images: BuildKit's attestations, which have an annotation and the platform
 * unknown/unknown; SOCI's indexes, which have the image's platform and an artifact type.
 */
static bool may_be_image(const struct descriptor *d)
{
	if (document_kind_of(d->media_type) != DOCUMENT_INDEX &&
	    document_kind_of(d->media_type) != DOCUMENT_MANIFEST)
		return false;
	if (d->artifact_type && strcmp(d->artifact_type, MEDIA_OCI_CONFIG) != 0 &&
	    strcmp(d->artifact_type, MEDIA_DOCKER_CONFIG) != 0)
		return false;
	if (descriptor_annotation(d, "vnd.docker.reference.type"))
		return false;
	return strcmp(d->platform.os, "unknown") != 0 &&
	       strcmp(d->platform.arch, "unknown") != 0;
}

static int parse_entries(const struct json *list, bool all, struct entries *out,
			 struct err *e)
{
	struct entries en = {0};
	size_t i, n = json_count(list);
	int rc = 0;

	if (!list || json_type(list) != JSON_ARRAY)
		return err_set(e, -EBADMSG, "the image index has no list of manifests");
	if (n > IMAGE_INDEX_MAX)
		return err_set(
			e, -E2BIG,
			"the image index has %zu entries, more than the limit of %d", n,
			IMAGE_INDEX_MAX);
	en.list = calloc(n ? n : 1, sizeof(*en.list));
	if (!en.list)
		return out_of_memory(e);
	for (i = 0; i < n && rc != -ENOMEM; i++) {
		struct descriptor *d = &en.list[en.n];

		rc = descriptor_parse(json_item(list, i), d, "an index entry", e);
		if (rc == 0 && (all || may_be_image(d)))
			en.n++;
		else if (rc == 0)
			descriptor_release(d);
	}
	if (rc == -ENOMEM) {
		entries_release(&en);
		return rc;
	}
	*out = en;
	return 0;
}

static int parse_index(const void *data, size_t len, bool all, struct entries *out,
		       struct err *e)
{
	struct json *j = NULL;
	int rc = json_parse(data, len, &j, e);

	if (rc < 0)
		return rc;
	rc = parse_entries(json_member(j, "manifests"), all, out, e);
	json_free(j);
	return rc;
}

int entries_parse(const void *data, size_t len, struct entries *out, struct err *e)
{
	return parse_index(data, len, false, out, e);
}

int entries_parse_all(const void *data, size_t len, struct entries *out, struct err *e)
{
	return parse_index(data, len, true, out, e);
}

void entries_release(struct entries *en)
{
	size_t i;

	for (i = 0; i < en->n; i++)
		descriptor_release(&en->list[i]);
	free(en->list);
	*en = (struct entries){0};
}

/* Manifest */

static bool has_prefix(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* The config of an image. Some old builders wrote octet-stream. */
static bool is_image_config(const char *media)
{
	return !media[0] || strcmp(media, MEDIA_OCI_CONFIG) == 0 ||
	       strcmp(media, MEDIA_DOCKER_CONFIG) == 0 ||
	       strcmp(media, "application/octet-stream") == 0;
}

static bool is_layer(const char *media)
{
	return !media[0] || has_prefix(media, "application/vnd.oci.image.layer.") ||
	       has_prefix(media, MEDIA_DOCKER_LAYER) ||
	       has_prefix(media,
			  "application/vnd.docker.image.rootfs.foreign.diff.tar") ||
	       strcmp(media, "application/octet-stream") == 0;
}

/*
 * Of a manifest with the config of an image: counts the layers that are filesystems. If there
 * are some, all of them must be; EROFS layers are an error in any case.
 */
static int check_layers(const struct manifest *m, size_t *n_files, struct err *e)
{
	const char *other = NULL;
	size_t i, first = 0;

	*n_files = 0;
	for (i = 0; i < m->n_layers; i++) {
		const char *media = m->layers[i].media_type;
		size_t len = strlen(media);

		if (len > 10 && strcmp(media + len - 10, "+encrypted") == 0)
			return err_set(
				e, -ENOTSUP,
				"layer %zu is encrypted (%.80s), which is not supported",
				i + 1, media);
		if (is_layer(media)) {
			++*n_files;
		} else if (!other || has_prefix(media, "application/vnd.erofs.")) {
			other = media;
			first = i + 1;
		}
	}
	if (!other || (*n_files == 0 && !has_prefix(other, "application/vnd.erofs.")))
		return 0;
	return err_set(e, -ENOTSUP, "layer %zu has the unsupported type %.100s", first,
		       other);
}

static int parse_layers(const struct json *list, struct manifest *m, struct err *e)
{
	size_t i, n = json_count(list);
	char what[32];
	int rc = 0;

	if (n > IMAGE_LAYERS_MAX)
		return err_set(e, -E2BIG,
			       "the image has %zu layers, more than the limit of %d", n,
			       IMAGE_LAYERS_MAX);
	m->layers = calloc(n ? n : 1, sizeof(*m->layers));
	if (!m->layers)
		return out_of_memory(e);
	for (i = 0; i < n && rc == 0; i++) {
		snprintf(what, sizeof(what), "layer %zu", i + 1);
		rc = descriptor_parse(json_item(list, i), &m->layers[i], what, e);
		m->n_layers += rc == 0;
	}
	return rc;
}

/* An image or an artifact? The config decides; if it is an image's, the layers do. */
static int classify(const struct json *j, struct manifest *m, struct err *e)
{
	const char *type = json_member_string(j, "artifactType");
	size_t n_files = 0;
	int rc = 0;

	m->is_artifact = !is_image_config(m->config.media_type);
	if (!m->is_artifact) {
		rc = check_layers(m, &n_files, e);
		m->is_artifact = n_files < m->n_layers;
	}
	if (rc < 0 || !m->is_artifact)
		return rc;
	if (!type || !type[0])
		type = is_image_config(m->config.media_type) ? m->layers[0].media_type
							     : m->config.media_type;
	m->artifact_type = strdup(type);
	return m->artifact_type ? 0 : out_of_memory(e);
}

static int parse_manifest(const struct json *j, struct manifest *m, struct err *e)
{
	const struct json *config = json_member(j, "config");
	const struct json *layers = json_member(j, "layers");
	int rc;

	if (!config || json_type(config) != JSON_OBJECT)
		return err_set(e, -EBADMSG, "the manifest has no config");
	rc = descriptor_parse(config, &m->config, "the config", e);
	if (rc < 0)
		return rc;
	/* Some tools write null for no layers. */
	if (!layers ||
	    (json_type(layers) != JSON_ARRAY && json_type(layers) != JSON_NULL))
		return err_set(e, -EBADMSG, "the manifest has no list of layers");
	if (annotations_parse(json_member(j, "annotations"), &m->annotations,
			      &m->n_annotations) < 0)
		return out_of_memory(e);
	rc = parse_layers(layers, m, e);
	return rc < 0 ? rc : classify(j, m, e);
}

int manifest_parse(const void *data, size_t len, struct manifest *out, struct err *e)
{
	struct manifest m = {0};
	struct json *j = NULL;
	int rc = json_parse(data, len, &j, e);

	if (rc < 0)
		return rc;
	rc = parse_manifest(j, &m, e);
	json_free(j);
	if (rc < 0)
		manifest_release(&m);
	else
		*out = m;
	return rc;
}

void manifest_release(struct manifest *m)
{
	size_t i;

	for (i = 0; i < m->n_layers; i++)
		descriptor_release(&m->layers[i]);
	free(m->layers);
	descriptor_release(&m->config);
	annotations_free(m->annotations, m->n_annotations);
	free(m->artifact_type);
	*m = (struct manifest){0};
}

/* Config */

static int parse_diff_ids(const struct json *list, struct config *c, struct err *e)
{
	size_t i, n = json_count(list);

	if (n > IMAGE_LAYERS_MAX)
		return err_set(e, -E2BIG,
			       "the config has %zu diff IDs, more than the limit of %d",
			       n, IMAGE_LAYERS_MAX);
	c->diff_ids = calloc(n ? n : 1, sizeof(*c->diff_ids));
	if (!c->diff_ids)
		return out_of_memory(e);
	for (i = 0; i < n; i++) {
		const char *text = json_string(json_item(list, i));

		if (!text || digest_parse(text, strlen(text), &c->diff_ids[i]) < 0)
			return err_set(e, -EBADMSG, "diff ID %zu is not a digest: %.80s",
				       i + 1, text ? text : "(no text)");
	}
	c->n_diff_ids = n;
	return 0;
}

int config_parse(const void *data, size_t len, struct config *out, struct err *e)
{
	struct config c = {0};
	struct json *j = NULL;
	const char *created;
	int rc = json_parse(data, len, &j, e);

	if (rc < 0)
		return rc;
	created = json_member_string(j, "created");
	c.has_created = created &&
			rfc3339_parse(created, strlen(created), &c.created, NULL);
	platform_from_json(j, &c.platform);
	rc = parse_diff_ids(json_member(json_member(j, "rootfs"), "diff_ids"), &c, e);
	json_free(j);
	if (rc < 0)
		config_release(&c);
	else
		*out = c;
	return rc;
}

void config_release(struct config *c)
{
	free(c->diff_ids);
	*c = (struct config){0};
}
