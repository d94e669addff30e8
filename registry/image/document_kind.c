/* SPDX-License-Identifier: MIT */
#include "registry/image/document_kind.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"

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
		    strncasecmp(types[i].type, media_type, len) == 0)
			return types[i].kind;
	}
	return DOCUMENT_UNKNOWN;
}

/* By its members, when neither the registry nor the document names a media type. */
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
		*media = config && strcmp(config, MEDIA_DOCKER_CONFIG) == 0
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
		if (strncasecmp(types[i], type, strlen(types[i])) == 0)
			return types[i];
	}
	return "";
}

static bool is_there(const struct json *j, const char *key)
{
	const struct json *member = json_member(j, key);

	return member && json_type(member) != JSON_NULL;
}

int document_kind(const void *data, size_t len, const char *media_type,
		  enum document_kind *kind, const char **media, struct err *e)
{
	enum document_kind served = document_kind_of(media_type), own;
	struct json *j = NULL;
	const char *type;
	int rc = json_parse(data, len, &j, e);

	if (rc < 0)
		return rc;
	type = json_member_string(j, "mediaType");
	own = document_kind_of(type);
	if (is_there(j, "layers") && is_there(j, "manifests")) {
		/* Readers would see two trees for one digest (CVE-2021-41190). */
		rc = err_set(e, -EBADMSG,
			     "the document has both \"layers\" and \"manifests\"");
	} else if (served != DOCUMENT_UNKNOWN && own != DOCUMENT_UNKNOWN &&
		   served != own) {
		rc = err_set(
			e, -EBADMSG,
			"the document is served as %.80s, but its mediaType is %.80s",
			media_type, type);
	} else if (own != DOCUMENT_UNKNOWN) {
		*kind = own;
		*media = static_media(type);
	} else if (served != DOCUMENT_UNKNOWN) {
		*kind = served;
		*media = static_media(media_type);
	} else {
		*kind = guess_kind(j, media);
	}
	json_free(j);
	return rc;
}
