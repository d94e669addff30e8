/* SPDX-License-Identifier: MIT */
#include "registry/image/descriptor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/err.h"
#include "base/json.h"

/* Annotations beyond so many are dropped: none known has 30. */
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

/* What is too long for a part is no platform that anyone has. */
static void copy_part(const struct json *j, const char *key, char *part)
{
	const char *text = json_member_string(j, key);

	if (text && strlen(text) < PLATFORM_PART_MAX)
		strcpy(part, text);
}

void platform_take(const struct json *j, struct platform *out)
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

/* The content itself, where it is short; whether it has the digest is seen at its use. */
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
	platform_take(platform, &d.platform);
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
