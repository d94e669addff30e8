/* SPDX-License-Identifier: MIT */
/* An image on disk for tests: an OCI layout in the test's place. */
#ifndef TESTS_UNIT_OCI_DIR_H
#define TESTS_UNIT_OCI_DIR_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/digest.h"
#include "tests/unit/place.h"

static void oci_dir_write(const char *name, const void *data, size_t len)
{
	FILE *f = fopen(place_path(name), "we");

	if (!f || fwrite(data, 1, len, f) != len || fclose(f) != 0)
		exit(1);
}

/* Its digest, in one of a few buffers that take turns. */
static const char *oci_dir_blob(const void *data, size_t len)
{
	static char texts[4][DIGEST_TEXT_MAX];
	static unsigned turn;
	char *text = texts[turn++ % 4], name[PATH_MAX];
	struct digest d;

	if (digest_of(DIGEST_SHA256, data, len, &d) < 0)
		exit(1);
	digest_format(&d, text);
	snprintf(name, sizeof(name), "blobs/sha256/%s", strchr(text, ':') + 1);
	oci_dir_write(name, data, len);
	return text;
}

/*
 * Makes the place, and in it the image of @n uncompressed layers, at most eight. The image
 * is "oci:" and the place.
 */
static void oci_dir_make(const struct buf *layers, size_t n)
{
	char ids[1024] = "", list[2048] = "", text[4096], whole[512];
	const char *digest;
	size_t i;

	place_make();
	if (mkdir(place_path("blobs"), 0700) < 0 ||
	    mkdir(place_path("blobs/sha256"), 0700) < 0)
		exit(1);
	for (i = 0; i < n; i++) {
		digest = oci_dir_blob(layers[i].data, layers[i].len);
		snprintf(ids + strlen(ids), sizeof(ids) - strlen(ids), "%s\"%s\"",
			 i ? "," : "", digest);
		snprintf(list + strlen(list), sizeof(list) - strlen(list),
			 "%s{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\","
			 "\"digest\":\"%s\",\"size\":%zu}",
			 i ? "," : "", digest, layers[i].len);
	}
	snprintf(text, sizeof(text),
		 "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{},"
		 "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[%s]}}",
		 ids);
	digest = oci_dir_blob(text, strlen(text));
	i = strlen(text);
	snprintf(text, sizeof(text),
		 "{\"schemaVersion\":2,\"mediaType\":"
		 "\"application/vnd.oci.image.manifest.v1+json\",\"config\":{"
		 "\"mediaType\":\"application/vnd.oci.image.config.v1+json\","
		 "\"digest\":\"%s\",\"size\":%zu},\"layers\":[%s]}",
		 digest, i, list);
	digest = oci_dir_blob(text, strlen(text));
	oci_dir_write("oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}", 30);
	snprintf(whole, sizeof(whole),
		 "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":"
		 "\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"%s\","
		 "\"size\":%zu}]}",
		 digest, strlen(text));
	oci_dir_write("index.json", whole, strlen(whole));
}

#endif
