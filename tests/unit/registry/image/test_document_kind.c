/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/err.h"
#include "registry/image/document_kind.h"
#include "tests/unit/test.h"

static void test_kinds(void)
{
	static const struct {
		const char *text, *media;
		int rc;
		enum document_kind kind;
		const char *want;
	} rows[] = {
		{"{\"mediaType\":\"" MEDIA_OCI_INDEX "\"}", NULL, 0, DOCUMENT_INDEX,
		 MEDIA_OCI_INDEX},
		{"{}", MEDIA_DOCKER_MANIFEST "; charset=utf-8", 0, DOCUMENT_MANIFEST,
		 MEDIA_DOCKER_MANIFEST},
		{"{}", MEDIA_DOCKER_LIST, 0, DOCUMENT_INDEX, MEDIA_DOCKER_LIST},
		{"{\"mediaType\":\"" MEDIA_OCI_INDEX "\"}", MEDIA_OCI_MANIFEST, -EBADMSG,
		 0, NULL},
		{"{\"mediaType\":\"" MEDIA_OCI_INDEX "\"}", "text/plain", 0,
		 DOCUMENT_INDEX, MEDIA_OCI_INDEX},
		{"{\"manifests\":[]}", "application/json", 0, DOCUMENT_INDEX,
		 MEDIA_OCI_INDEX},
		{"{\"config\":{},\"layers\":[]}", "text/plain", 0, DOCUMENT_MANIFEST,
		 MEDIA_OCI_MANIFEST},
		{"{\"config\":{\"mediaType\":\"" MEDIA_DOCKER_CONFIG "\"},\"layers\":[]}",
		 NULL, 0, DOCUMENT_MANIFEST, MEDIA_DOCKER_MANIFEST},
		{"{\"schemaVersion\":1,\"fsLayers\":[]}", NULL, 0, DOCUMENT_SCHEMA1, ""},
		{"{\"hello\":1}", "text/html", 0, DOCUMENT_UNKNOWN, ""},
		{"[]", NULL, 0, DOCUMENT_UNKNOWN, ""},
		{"<html>", MEDIA_OCI_INDEX, -EBADMSG, 0, NULL},
	};
	enum document_kind kind;
	const char *media;
	struct err e;
	size_t i;
	int rc;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		rc = document_kind(rows[i].text, strlen(rows[i].text), rows[i].media,
				   &kind, &media, &e);
		is_int(rc, rows[i].rc, "%s as %s", rows[i].text,
		       rows[i].media ? rows[i].media : "nothing");
		if (rc == 0) {
			is_int(kind, rows[i].kind, "its kind");
			is_text(media, rows[i].want, "its media type");
		}
	}
}

int main(void)
{
	test_kinds();
	return test_done();
}
