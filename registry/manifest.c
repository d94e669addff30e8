/* SPDX-License-Identifier: MIT */
/*
 * Documents come as foreign bytes: every member may be absent, null, or of another
 * type, and then it counts as absent. What an image cannot be shown without (config,
 * digests, sizes) is then an error that says which; all else is passed over.
 */
#include "registry/manifest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/json.h"

/* Annotations of a descriptor beyond so many are dropped: none known has 30. */
#define ANNOTATIONS_MAX 200
#define URLS_MAX	10

static int out_of_memory(struct err *e)
{
	return err_set(e, -ENOMEM, "out of memory");
}

/* Kinds */

enum document_kind document_kind_of(const char *media_type)
{
	static const struct {
		const char *type;
		enum document_kind kind;
	} types[] = {
		{MEDIA_OCI_INDEX, DOCUMENT_INDEX},
		{MEDIA_DOCKER_LIST, DOCUMENT_INDEX},
		{MEDIA_OCI_MANIFEST, DOCUMENT_MANIFEST},
		{MEDIA_DOCKER_MANIFEST, DOCUMENT_MANIFEST},
		{"application/vnd.docker.distribution.manifest.v1+json",
		 DOCUMENT_SCHEMA1},
		{"application/vnd.docker.distribution.manifest.v1+prettyjws",
		 DOCUMENT_SCHEMA1},
	};
	size_t i, len;

	if (!media_type)
		return DOCUMENT_UNKNOWN;
	len = strcspn(media_type, "; \t");
	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (strlen(types[i].type) == len &&
		    !strncasecmp(types[i].type, media_type, len))
			return types[i].kind;
	}
	return DOCUMENT_UNKNOWN;
}

/* By its shape, where neither the registry nor the document says what it is. */
static enum document_kind guess_kind(const struct json *j, const char **media)
{
	const char *config = json_member_string(json_member(j, "config"), "mediaType");
	int64_t schema;

	*media = "";
	if (json_member_int(j, "schemaVersion", &schema) && schema == 1)
		return DOCUMENT_SCHEMA1;
	if (json_member(j, "manifests")) {
		*media = MEDIA_OCI_INDEX;
		return DOCUMENT_INDEX;
	}
	if (json_member(j, "config") && json_member(j, "layers")) {
		*media = config && !strcmp(config, MEDIA_DOCKER_CONFIG)
				 ? MEDIA_DOCKER_MANIFEST
				 : MEDIA_OCI_MANIFEST;
		return DOCUMENT_MANIFEST;
	}
	return DOCUMENT_UNKNOWN;
}

static const char *static_media(const char *type)
{
	static const char *const types[] = {MEDIA_OCI_INDEX, MEDIA_DOCKER_LIST,
					    MEDIA_OCI_MANIFEST, MEDIA_DOCKER_MANIFEST};
	size_t i;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (!strncasecmp(types[i], type, strlen(types[i])))
			return types[i];
	}
	return "";
}

int document_kind(const void *data, size_t len, const char *media_type,
		  enum document_kind *kind, const char **media, struct err *e)
{
	enum document_kind said = document_kind_of(media_type), own;
	struct json *j = NULL;
	const char *type;
	int rc = json_parse(data, len, &j, e);

	if (rc < 0)
		return rc;
	type = json_member_string(j, "mediaType");
	own = document_kind_of(type);
	if (said != DOCUMENT_UNKNOWN && own != DOCUMENT_UNKNOWN && said != own) {
		rc = err_set(e, -EBADMSG, "served as %.80s, but says that it is %.80s",
			     media_type, type);
	} else if (own != DOCUMENT_UNKNOWN) {
		*kind = own;
		*media = static_media(type);
	} else if (said != DOCUMENT_UNKNOWN) {
		*kind = said;
		*media = static_media(media_type);
	} else {
		*kind = guess_kind(j, media);
	}
	json_free(j);
	return rc;
}

/* Descriptors */

static int parse_annotations(const struct json *j, struct descriptor *d)
{
	size_t i, n = json_count(j);

	if (!j || json_type(j) != JSON_OBJECT || n == 0)
		return 0;
	if (n > ANNOTATIONS_MAX)
		n = ANNOTATIONS_MAX;
	d->annotations = calloc(n, sizeof(*d->annotations));
	if (!d->annotations)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		struct annotation *a = &d->annotations[d->n_annotations];
		const char *value = json_string(json_value(j, i));

		if (!value)
			continue;
		a->key = strdup(json_key(j, i));
		a->value = strdup(value);
		d->n_annotations++;
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

/* What is too long for a part is no platform that anyone has. */
static void copy_part(const struct json *j, const char *key, char *part)
{
	const char *text = json_member_string(j, key);

	if (text && strlen(text) < PLATFORM_PART_MAX)
		strcpy(part, text);
}

static void parse_platform(const struct json *j, struct platform *p)
{
	*p = (struct platform){0};
	copy_part(j, "os", p->os);
	copy_part(j, "architecture", p->arch);
	copy_part(j, "variant", p->variant);
	platform_normalise(p);
}

static int parse_digest(const struct json *j, const char *key, struct digest *out)
{
	const char *text = json_member_string(j, key);

	return text ? digest_parse(text, strlen(text), out) : -EBADMSG;
}

static int parse_descriptor(const struct json *j, struct descriptor *out,
			    const char *what, struct err *e)
{
	const char *media = json_member_string(j, "mediaType");
	const char *artifact = json_member_string(j, "artifactType");
	const struct json *platform = json_member(j, "platform");
	struct descriptor d = {0};
	int64_t size = -1;
	int rc = parse_digest(j, "digest", &d.digest);

	if (rc == -ENOTSUP)
		return err_set(e, rc,
			       "%s: its digest has an algorithm that is not read: %.80s",
			       what, json_member_string(j, "digest"));
	if (rc < 0)
		return err_set(e, rc, "%s: has no valid digest", what);
	if (!json_member_int(j, "size", &size) || size < 0)
		return err_set(e, -EBADMSG, "%s: has no valid size", what);
	d.size = (uint64_t)size;
	d.media_type = strdup(media ? media : "");
	if (artifact && artifact[0])
		d.artifact_type = strdup(artifact);
	parse_platform(platform, &d.platform);
	d.has_platform = d.platform.os[0] && d.platform.arch[0];
	rc = parse_annotations(json_member(j, "annotations"), &d);
	if (rc == 0)
		rc = parse_urls(json_member(j, "urls"), &d);
	if (rc < 0 || !d.media_type || (artifact && artifact[0] && !d.artifact_type)) {
		descriptor_release(&d);
		return out_of_memory(e);
	}
	*out = d;
	return 0;
}

/* Index */

/*
 * BuildKit's attestations bear an annotation and the platform unknown/unknown;
 * SOCI's index bears the platform of the image, and an artifact type.
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

static int parse_entries(const struct json *list, struct entries *out, struct err *e)
{
	struct entries en = {0};
	size_t i, n = json_count(list);
	int rc = 0;

	if (!list || json_type(list) != JSON_ARRAY)
		return err_set(e, -EBADMSG, "an image index without a list of manifests");
	if (n > INDEX_ENTRIES_MAX)
		return err_set(e, -E2BIG, "an image index of %zu entries", n);
	en.list = calloc(n ? n : 1, sizeof(*en.list));
	if (!en.list)
		return out_of_memory(e);
	for (i = 0; i < n && rc != -ENOMEM; i++) {
		struct descriptor *d = &en.list[en.n];

		rc = parse_descriptor(json_item(list, i), d, "an entry", e);
		if (rc == 0 && may_be_image(d))
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

int entries_parse(const void *data, size_t len, struct entries *out, struct err *e)
{
	struct json *j = NULL;
	int rc = json_parse(data, len, &j, e);

	if (rc < 0)
		return rc;
	rc = parse_entries(json_member(j, "manifests"), out, e);
	json_free(j);
	return rc;
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
	return !strncmp(text, prefix, strlen(prefix));
}

/* An image says so by its config; octet-stream is what some old builders wrote. */
static bool is_image_config(const char *media)
{
	return !media[0] || !strcmp(media, MEDIA_OCI_CONFIG) ||
	       !strcmp(media, MEDIA_DOCKER_CONFIG) ||
	       !strcmp(media, "application/octet-stream");
}

static int check_layer(const struct descriptor *d, size_t i, struct err *e)
{
	const char *media = d->media_type;
	size_t len = strlen(media);

	if (len > 10 && !strcmp(media + len - 10, "+encrypted"))
		return err_set(e, -ENOTSUP,
			       "layer %zu is encrypted (%.80s), and peelfs has no keys",
			       i + 1, media);
	if (has_prefix(media, "application/vnd.oci.image.layer.") ||
	    has_prefix(media, MEDIA_DOCKER_LAYER) || !media[0] ||
	    has_prefix(media, "application/vnd.docker.image.rootfs.foreign.diff.tar") ||
	    !strcmp(media, "application/octet-stream"))
		return 0;
	return err_set(e, -ENOTSUP,
		       "layer %zu is of type %.100s, which holds no files to show", i + 1,
		       media);
}

static int parse_layers(const struct json *list, struct manifest *m, struct err *e)
{
	size_t i, n = json_count(list);
	char what[32];
	int rc = 0;

	if (n > IMAGE_LAYERS_MAX)
		return err_set(e, -E2BIG, "%zu layers, more than the %d that are read", n,
			       IMAGE_LAYERS_MAX);
	m->layers = calloc(n ? n : 1, sizeof(*m->layers));
	if (!m->layers)
		return out_of_memory(e);
	for (i = 0; i < n && rc == 0; i++) {
		snprintf(what, sizeof(what), "layer %zu", i + 1);
		rc = parse_descriptor(json_item(list, i), &m->layers[i], what, e);
		if (rc < 0)
			break;
		m->n_layers++;
		rc = check_layer(&m->layers[i], i, e);
	}
	return rc;
}

static int parse_manifest(const struct json *j, struct manifest *m, struct err *e)
{
	const struct json *config = json_member(j, "config");
	const char *artifact = json_member_string(j, "artifactType");
	const struct json *layers = json_member(j, "layers");
	int rc;

	if (!config || json_type(config) != JSON_OBJECT)
		return err_set(e, -EBADMSG, "a manifest without a config");
	rc = parse_descriptor(config, &m->config, "the config", e);
	if (rc < 0)
		return rc;
	if (!is_image_config(m->config.media_type))
		return err_set(
			e, -ENOTSUP,
			"an artifact of type %.100s, not an image: it has no filesystem "
			"layers",
			artifact && artifact[0] ? artifact : m->config.media_type);
	if (!layers || json_type(layers) != JSON_ARRAY)
		return err_set(e, -EBADMSG, "a manifest without a list of layers");
	return parse_layers(layers, m, e);
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
	*m = (struct manifest){0};
}

/* Config */

bool time_parse(const char *text, int64_t *out)
{
	int zone_hour = 0, zone_minute = 0, n = 0;
	struct tm tm = {0};
	char sign = 'Z';

	if (sscanf(text, "%4d-%2d-%2d%*[Tt ]%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon,
		   &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &n) != 6 ||
	    n == 0)
		return false;
	text += n;
	if (*text == '.')
		text += 1 + strspn(text + 1, "0123456789");
	if (sscanf(text, "%c%2d:%2d", &sign, &zone_hour, &zone_minute) < 1 ||
	    !strchr("Zz+-", sign))
		return false;
	if (tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 ||
	    tm.tm_year < 0 || tm.tm_hour < 0 || tm.tm_min < 0 || tm.tm_sec < 0)
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	*out = (int64_t)timegm(&tm);
	if (sign == '+' || sign == '-')
		*out -= (sign == '+' ? 60 : -60) *
			(int64_t)(zone_hour * 60 + zone_minute);
	return true;
}

static int parse_diff_ids(const struct json *list, struct config *c, struct err *e)
{
	size_t i, n = json_count(list);

	if (n > IMAGE_LAYERS_MAX)
		return err_set(e, -E2BIG, "%zu diff IDs, more than the %d that are read",
			       n, IMAGE_LAYERS_MAX);
	c->diff_ids = calloc(n ? n : 1, sizeof(*c->diff_ids));
	if (!c->diff_ids)
		return out_of_memory(e);
	for (i = 0; i < n; i++) {
		const char *text = json_string(json_item(list, i));

		if (!text || digest_parse(text, strlen(text), &c->diff_ids[i]) < 0)
			return err_set(e, -EBADMSG, "diff ID %zu is no digest: %.80s",
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
	c.has_created = created && time_parse(created, &c.created);
	parse_platform(j, &c.platform);
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
