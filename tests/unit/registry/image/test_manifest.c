/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/err.h"
#include "registry/image/document_kind.h"
#include "registry/image/manifest.h"
#include "tests/unit/test.h"

#define D1 "sha256:1111111111111111111111111111111111111111111111111111111111111111"
#define D2 "sha256:2222222222222222222222222222222222222222222222222222222222222222"
#define CONFIG                                                                \
	"\"config\":{\"mediaType\":\"" MEDIA_OCI_CONFIG "\",\"digest\":\"" D1 \
	"\",\"size\":7}"
#define LAYER(type) "{\"mediaType\":\"" type "\",\"digest\":\"" D2 "\",\"size\":9}"

static void test_entries(void)
{
	static const char text[] =
		"{\"manifests\":["
		"{\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"digest\":\"" D1
		"\",\"size\":5,"
		"\"platform\":{\"os\":\"linux\",\"architecture\":\"x86_64\"}},"
		/* BuildKit's attestation */
		"{\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"digest\":\"" D1
		"\",\"size\":5,"
		"\"platform\":{\"os\":\"unknown\",\"architecture\":\"unknown\"}},"
		"{\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"digest\":\"" D1
		"\",\"size\":5,"
		"\"annotations\":{\"vnd.docker.reference.type\":\"attestation-manifest\"}},"
		/* SOCI's index, of the image's platform */
		"{\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"digest\":\"" D1
		"\",\"size\":5,"
		"\"artifactType\":\"application/vnd.amazon.soci.index.v2+json\","
		"\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"}},"
		"{\"mediaType\":\"application/x-new\",\"digest\":\"" D1 "\",\"size\":5},"
		"{\"mediaType\":\"" MEDIA_OCI_MANIFEST
		"\",\"digest\":\"blake3:00\",\"size\":5},"
		"{\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"digest\":\"" D1
		"\",\"size\":-5},"
		"null,7,{},"
		"{\"mediaType\":\"" MEDIA_DOCKER_LIST "\",\"digest\":\"" D2
		"\",\"size\":6,"
		"\"annotations\":{\"a\":\"b\",\"c\":null}}]}";
	struct entries en = {0};

	is_int(entries_parse(text, strlen(text), &en, NULL), 0, "an index");
	is_int(en.n, 2, "what is no image is passed over");
	ok(en.list[0].has_platform && strcmp(en.list[0].platform.arch, "amd64") == 0,
	   "platform");
	ok(!en.list[1].has_platform && en.list[1].size == 6, "no platform");
	is_text(descriptor_annotation(&en.list[1], "a"), "b", "annotation");
	ok(!descriptor_annotation(&en.list[1], "c"), "one that is no text is none");
	entries_release(&en);
	is_int(entries_parse("{}", 2, &en, NULL), -EBADMSG, "no list");
	is_int(entries_parse("{\"manifests\":{}}", 16, &en, NULL), -EBADMSG,
	       "not a list");
}

static void test_manifests(void)
{
	static const struct {
		const char *text;
		int rc;
		size_t layers;
	} rows[] = {
		{"{" CONFIG ",\"layers\":[]}", 0, 0},
		{"{" CONFIG ",\"layers\":[" LAYER(MEDIA_OCI_LAYER "+gzip") "," LAYER(
			 MEDIA_DOCKER_LAYER ".gzip") "]}",
		 0, 2},
		{"{" CONFIG ",\"layers\":[" LAYER(
			 "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd") "]}",
		 0, 1},
		{"{" CONFIG ",\"layers\":[" LAYER(MEDIA_OCI_LAYER "+gzip+encrypted") "]}",
		 -ENOTSUP, 0},
		{"{" CONFIG
		 ",\"layers\":[" LAYER(MEDIA_OCI_LAYER) "," LAYER("text/x") "]}",
		 -ENOTSUP, 0},
		{"{" CONFIG ",\"layers\":[" LAYER("application/vnd.erofs.layer.v1") "]}",
		 -ENOTSUP, 0},
		{"{" CONFIG ",\"layers\":[7]}", -EBADMSG, 0},
		{"{" CONFIG "}", -EBADMSG, 0},
		{"{" CONFIG ",\"layers\":null}", 0, 0},
		{"{\"layers\":[]}", -EBADMSG, 0},
		{"{\"config\":{\"digest\":\"" D1 "\"},\"layers\":[]}", -EBADMSG, 0},
		{"{\"config\":{\"mediaType\":\"" MEDIA_OCI_CONFIG
		 "\",\"digest\":\"md5:1234\",\"size\":7},\"layers\":[]}",
		 -ENOTSUP, 0},
		{"{\"config\":{\"mediaType\":\"" MEDIA_OCI_CONFIG "\",\"digest\":\"" D1
		 "\",\"size\":9223372036854775808},\"layers\":[]}",
		 -EBADMSG, 0},
	};
	struct manifest m;
	struct err e;
	size_t i;
	int rc;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		e.text[0] = '\0';
		rc = manifest_parse(rows[i].text, strlen(rows[i].text), &m, &e);
		is_int(rc, rows[i].rc, "%s", rows[i].text);
		if (rc < 0) {
			ok(e.text[0] != '\0', "says: %s", e.text);
			continue;
		}
		is_int(m.n_layers, rows[i].layers, "layers");
		is_int(m.config.size, 7, "config");
		manifest_release(&m);
	}
}

static void test_artifacts(void)
{
	static const struct {
		const char *text, *type; /* NULL: an image */
	} rows[] = {
		{"{" CONFIG ",\"layers\":[]}", NULL},
		{"{" CONFIG
		 ",\"layers\":[" LAYER(MEDIA_OCI_LAYER) "],\"artifactType\":\"text/x\"}",
		 NULL},
		{"{" CONFIG ",\"layers\":[" LAYER("application/vnd.in-toto+json") "]}",
		 "application/vnd.in-toto+json"},
		{"{" CONFIG
		 ",\"layers\":[" LAYER("text/y") "],\"artifactType\":\"text/x\"}",
		 "text/x"},
		{"{\"config\":{\"mediaType\":\"application/vnd.cncf.helm.config.v1+json\",\"digest\":"
		 "\"" D1
		 "\",\"size\":7},\"layers\":[" LAYER(MEDIA_OCI_LAYER "+gzip") "]}",
		 "application/vnd.cncf.helm.config.v1+json"},
		{"{\"config\":{\"mediaType\":\"application/vnd.oci.empty.v1+json\",\"digest\":\"" D1
		 "\",\"size\":2,\"data\":\"e30=\"},\"artifactType\":\"text/x\",\"layers\":[" LAYER(
			 "text/y") "],\"annotations\":{\"k\":\"v\",\"no\":7}}",
		 "text/x"},
	};
	struct manifest m;
	struct err e;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		is_int(manifest_parse(rows[i].text, strlen(rows[i].text), &m, &e), 0,
		       "%s", rows[i].text);
		ok(m.is_artifact == (rows[i].type != NULL), "is it an artifact?");
		is_text(m.artifact_type, rows[i].type, "its type");
		if (i == 5) {
			ok(m.config.data && memcmp(m.config.data, "{}", 2) == 0,
			   "its config is in it");
			is_int(m.n_annotations, 1, "an annotation");
		}
		manifest_release(&m);
	}
}

static void test_configs(void)
{
	static const char good[] =
		"{\"created\":\"2024-02-29T12:34:56.789+01:00\",\"architecture\":\"arm64\","
		"\"variant\":\"v8\",\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":"
		"[\"" D1 "\",\"" D2 "\"]},\"history\":null}";
	static const char bad[] = "{\"rootfs\":{\"diff_ids\":[\"" D1 "\",null]}}";
	struct config c;

	is_int(config_parse(good, strlen(good), &c, NULL), 0, "a config");
	is_int(c.n_diff_ids, 2, "diff IDs");
	is_text(c.platform.arch, "arm64", "architecture");
	is_text(c.platform.variant, "", "variant, normalised");
	ok(c.has_created && c.created == 1709206496, "created");
	config_release(&c);
	is_int(config_parse(bad, strlen(bad), &c, NULL), -EBADMSG,
	       "a diff ID that is none");
	is_int(config_parse("{}", 2, &c, NULL), 0, "one that says nothing");
	ok(c.n_diff_ids == 0 && !c.has_created, "has nothing");
	config_release(&c);
}

int main(void)
{
	test_entries();
	test_manifests();
	test_artifacts();
	test_configs();
	return test_done();
}
