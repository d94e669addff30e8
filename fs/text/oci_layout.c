/* SPDX-License-Identifier: MIT */
#include "fs/text/oci_layout.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/jsonwrite.h"
#include "fs/text/facts.h"
#include "registry/image/image.h"
#include "registry/source_name.h"

bool oci_layout_uses(const struct image *img, bool has_index_blobs, enum digest_alg alg)
{
	size_t i;

	for (i = 0; i < img->n_layers; i++) {
		if (img->layers[i].digest.alg == alg)
			return true;
	}
	return img->manifest_descriptor.digest.alg == alg ||
	       img->config_descriptor.digest.alg == alg ||
	       (has_index_blobs && img->index_descriptor.digest.alg == alg);
}

int oci_layout_render(const struct image_facts *f, struct buf *out)
{
	(void)f;
	return buf_append_text(out, "{\"imageLayoutVersion\": \"1.0.0\"}\n");
}

static void write_platform(struct jsonwrite *w, const struct platform *p)
{
	jsonwrite_key(w, "platform");
	jsonwrite_open(w, '{');
	jsonwrite_member(w, "architecture", p->arch);
	jsonwrite_member(w, "os", p->os);
	if (p->variant[0])
		jsonwrite_member(w, "variant", p->variant);
	jsonwrite_close(w, '}');
}

static void write_entry(struct jsonwrite *w, const struct image *img, bool is_index,
			const char *tag)
{
	const struct descriptor *d = is_index ? &img->index_descriptor
					      : &img->manifest_descriptor;
	char digest[DIGEST_TEXT_MAX];

	jsonwrite_open(w, '{');
	jsonwrite_member(w, "mediaType", d->media_type);
	jsonwrite_member(w, "digest", digest_format(&d->digest, digest));
	jsonwrite_member_number(w, "size",
				(int64_t)(is_index ? &img->index : &img->manifest)->len);
	if (!is_index && img->platform.arch[0])
		write_platform(w, &img->platform);
	if (!is_index && img->artifact_type)
		jsonwrite_member(w, "artifactType", img->artifact_type);
	jsonwrite_key(w, "annotations");
	jsonwrite_open(w, '{');
	jsonwrite_member(w, "org.opencontainers.image.ref.name", tag);
	jsonwrite_close(w, '}');
	jsonwrite_close(w, '}');
}

/*
 * The index has the tag. Some tools cannot choose an image from an index, so the image that
 * is mounted has a tag of its own: "1.27-linux-amd64".
 */
int oci_layout_index(const struct image_facts *f, struct buf *out)
{
	const struct image *img = f->image;
	char platform[PLATFORM_TEXT_MAX], *tag = NULL, *own = NULL;
	struct jsonwrite w;
	size_t len = strlen("latest");
	const char *at = source_name_tag(img->name, &len);
	int rc = -ENOMEM;

	tag = strndup(at ? at : "latest", len);
	platform_format(&img->platform, '-', platform);
	if (!tag)
		goto out;
	if (asprintf(&own, "%s-%s", tag, platform) < 0) {
		own = NULL;
		goto out;
	}
	jsonwrite_init(&w, out);
	jsonwrite_open(&w, '{');
	jsonwrite_member_number(&w, "schemaVersion", 2);
	jsonwrite_member(&w, "mediaType", "application/vnd.oci.image.index.v1+json");
	jsonwrite_key(&w, "manifests");
	jsonwrite_open(&w, '[');
	if (f->has_index_blobs)
		write_entry(&w, img, true, tag);
	write_entry(&w, img, false, f->has_index_blobs ? own : tag);
	jsonwrite_close(&w, ']');
	jsonwrite_close(&w, '}');
	rc = jsonwrite_finish(&w);
out:
	free(tag);
	free(own);
	return rc;
}
