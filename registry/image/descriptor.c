/* SPDX-License-Identifier: MIT */
#include "registry/image/descriptor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/err.h"
#include "base/json.h"
#include "registry/image/document_kind.h"

/* Further annotations and URLs are dropped. No known descriptor has 30 annotations. */
#define ANNOTATIONS_MAX 200
#define URLS_MAX	10

int annotations_parse(const struct json *j, struct annotation **list, size_t *count)
{
	size_t i, n = json_count(j);

	if (!j || json_type(j) != JSON_OBJECT || n == 0)
		return 0;
	if (n > ANNOTATIONS_MAX)
		n = ANNOTATIONS_MAX;
	*list = calloc(n, sizeof(**list));
	if (!*list)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		struct annotation *a = &(*list)[*count];
		const char *value = json_string(json_value(j, i));

		if (!value)
			continue;
		a->key = strdup(json_key(j, i));
		a->value = strdup(value);
		++*count;
		if (!a->key || !a->value)
			return -ENOMEM;
	}
	return 0;
}

static int parse_urls(const struct json *j, struct descriptor *d)
{
	size_t i, n = json_count(j);

	if (!j || json_type(j) != JSON_ARRAY || n == 0)
		return 0;
	if (n > URLS_MAX)
		n = URLS_MAX;
	d->urls = calloc(n, sizeof(*d->urls));
	if (!d->urls)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		const char *url = json_string(json_item(j, i));

		if (!url)
			continue;
		d->urls[d->n_urls] = strdup(url);
		if (!d->urls[d->n_urls++])
			return -ENOMEM;
	}
	return 0;
}

/* A part that is too long is ignored: no existing platform has one. */
static void copy_part(const struct json *j, const char *key, char *part)
{
	const char *text = json_member_string(j, key);

	if (text && strlen(text) < PLATFORM_PART_MAX)
		strcpy(part, text);
}

void platform_from_json(const struct json *j, struct platform *out)
{
	*out = (struct platform){0};
	copy_part(j, "os", out->os);
	copy_part(j, "architecture", out->arch);
	copy_part(j, "variant", out->variant);
	platform_normalise(out);
}

static int parse_digest(const struct json *j, const char *key, struct digest *out)
{
	const char *text = json_member_string(j, key);

	return text ? digest_parse(text, strlen(text), out) : -EBADMSG;
}

/* The embedded content ("data", base64). Its digest is checked when it is used. */
static int parse_data(const struct json *j, struct descriptor *d)
{
	const char *text = json_string(j);
	size_t len = text ? strlen(text) : 0;
	char *data;

	if (len == 0 || d->size == 0)
		return 0;
	data = strdup(text);
	if (!data)
		return -ENOMEM;
	if (base64_decode(data, &len) && len == d->size) {
		d->data = data;
		return 0;
	}
	free(data);
	return 0;
}

int descriptor_parse(const struct json *j, struct descriptor *out, const char *what,
		     struct err *e)
{
	const char *media = json_member_string(j, "mediaType");
	const char *artifact = json_member_string(j, "artifactType");
	const struct json *platform = json_member(j, "platform");
	struct descriptor d = {0};
	int64_t size = -1;
	int rc = parse_digest(j, "digest", &d.digest);

	if (rc == -ENOTSUP)
		return err_set(e, rc,
			       "%s: the digest has an unsupported algorithm: %.80s", what,
			       json_member_string(j, "digest"));
	if (rc < 0)
		return err_set(e, rc, "%s has no valid digest", what);
	if (!json_member_int(j, "size", &size) || size < 0)
		return err_set(e, -EBADMSG, "%s has no valid size", what);
	d.size = (uint64_t)size;
	d.media_type = strdup(media ? media : "");
	if (artifact && artifact[0])
		d.artifact_type = strdup(artifact);
	platform_from_json(platform, &d.platform);
	d.has_platform = d.platform.os[0] && d.platform.arch[0];
	rc = annotations_parse(json_member(j, "annotations"), &d.annotations,
			       &d.n_annotations);
	if (rc == 0)
		rc = parse_urls(json_member(j, "urls"), &d);
	if (rc == 0)
		rc = parse_data(json_member(j, "data"), &d);
	if (rc < 0 || !d.media_type || (artifact && artifact[0] && !d.artifact_type)) {
		descriptor_release(&d);
		return err_set(e, -ENOMEM, "out of memory");
	}
	*out = d;
	return 0;
}

const char *annotations_find(const struct annotation *list, size_t n, const char *key)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (strcmp(list[i].key, key) == 0)
			return list[i].value;
	}
	return NULL;
}

void annotations_free(struct annotation *list, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		free(list[i].key);
		free(list[i].value);
	}
	free(list);
}

bool descriptor_is_index(const struct descriptor *d)
{
	return document_kind_of(d->media_type) == DOCUMENT_INDEX;
}

bool descriptor_is_document(const struct descriptor *d)
{
	const char *media = d->media_type ? d->media_type : "";

	return document_kind_of(media) != DOCUMENT_UNKNOWN ||
	       strcmp(media, MEDIA_OCI_CONFIG) == 0 ||
	       strcmp(media, MEDIA_DOCKER_CONFIG) == 0;
}

const char *descriptor_annotation(const struct descriptor *d, const char *key)
{
	return annotations_find(d->annotations, d->n_annotations, key);
}

void descriptor_release(struct descriptor *d)
{
	size_t i;

	for (i = 0; i < d->n_urls; i++)
		free(d->urls[i]);
	annotations_free(d->annotations, d->n_annotations);
	free(d->data);
	free(d->urls);
	free(d->media_type);
	free(d->artifact_type);
	*d = (struct descriptor){0};
}

/* @text may be NULL. Sets *rc if memory runs out. */
static char *copy_text(const char *text, int *rc)
{
	char *copy = text ? strdup(text) : NULL;

	if (text && !copy)
		*rc = -ENOMEM;
	return copy;
}

int descriptor_copy(const struct descriptor *d, struct descriptor *out)
{
	size_t i;
	int rc = 0;

	*out = *d;
	out->media_type = copy_text(d->media_type, &rc);
	out->artifact_type = copy_text(d->artifact_type, &rc);
	if (d->data) {
		out->data = malloc(d->size + 1);
		if (out->data)
			memcpy(out->data, d->data, d->size);
		else
			rc = -ENOMEM;
	}
	out->annotations = calloc(d->n_annotations + 1, sizeof(*out->annotations));
	out->urls = calloc(d->n_urls + 1, sizeof(*out->urls));
	if (!out->annotations)
		out->n_annotations = 0;
	if (!out->urls)
		out->n_urls = 0;
	if (!out->annotations || !out->urls)
		rc = -ENOMEM;
	for (i = 0; i < out->n_annotations; i++) {
		out->annotations[i].key = copy_text(d->annotations[i].key, &rc);
		out->annotations[i].value = copy_text(d->annotations[i].value, &rc);
	}
	for (i = 0; i < out->n_urls; i++)
		out->urls[i] = copy_text(d->urls[i], &rc);
	if (rc < 0)
		descriptor_release(out);
	return rc;
}
