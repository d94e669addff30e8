/* SPDX-License-Identifier: MIT */
#include "fs/text/layer_json.h"

#include "base/buf.h"
#include "base/jsonwrite.h"
#include "fs/text/facts.h"
#include "fs/text/history.h"
#include "registry/image/image.h"

/* image-spec descriptor.md */
static void write_descriptor(struct jsonwrite *w, const struct descriptor *d)
{
	char digest[DIGEST_TEXT_MAX];
	size_t i;

	jsonwrite_open(w, '{');
	jsonwrite_member(w, "mediaType", d->media_type);
	jsonwrite_member(w, "digest", digest_format(&d->digest, digest));
	jsonwrite_member_number(w, "size", (int64_t)d->size);
	if (d->n_urls > 0) {
		jsonwrite_key(w, "urls");
		jsonwrite_open(w, '[');
		for (i = 0; i < d->n_urls; i++)
			jsonwrite_text(w, d->urls[i]);
		jsonwrite_close(w, ']');
	}
	if (d->n_annotations > 0) {
		jsonwrite_key(w, "annotations");
		jsonwrite_open(w, '{');
		for (i = 0; i < d->n_annotations; i++)
			jsonwrite_member(w, d->annotations[i].key,
					 d->annotations[i].value);
		jsonwrite_close(w, '}');
	}
	jsonwrite_close(w, '}');
}

static void write_contents(struct jsonwrite *w, const struct layer_facts *l)
{
	if (!l)
		return;
	if (l->error) {
		jsonwrite_member(w, "error", l->error);
		return;
	}
	jsonwrite_member_number(w, "entries", l->n_entries);
	jsonwrite_member_number(w, "skippedEntries", l->n_skipped);
	jsonwrite_member_number(w, "compressedSize", (int64_t)l->compressed_size);
	jsonwrite_member_number(w, "uncompressedSize", (int64_t)l->uncompressed_size);
	jsonwrite_member_number(w, "filesSize", (int64_t)l->files_size);
}

int layer_json_render(const struct image_facts *f, uint32_t i, struct buf *out)
{
	const struct image *img = f->image;
	const struct step *step = history_of_layer(f->history, i);
	char digest[DIGEST_TEXT_MAX];
	struct jsonwrite w;

	jsonwrite_init(&w, out);
	jsonwrite_open(&w, '{');
	jsonwrite_member_number(&w, "number", i + 1);
	jsonwrite_key(&w, "descriptor");
	write_descriptor(&w, &img->layers[i]);
	jsonwrite_member(&w, "diffID", digest_format(&img->diff_ids[i], digest));
	jsonwrite_member_value(&w, "history", step ? step->json : NULL);
	write_contents(&w, f->layers ? &f->layers[i] : NULL);
	jsonwrite_close(&w, '}');
	return jsonwrite_finish(&w);
}
