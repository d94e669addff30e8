/* SPDX-License-Identifier: MIT */
/*
 * The order of the fields is Docker's. Fields that only an engine knows are left out: Parent,
 * Metadata. Size is the sum over the files of all layers, as with Docker; it is left out if
 * a layer is broken.
 */
#include "fs/text/inspect.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/jsonwrite.h"
#include "base/num.h"
#include "fs/text/facts.h"
#include "fs/text/history.h"
#include "fs/text/titles.h"
#include "registry/image/image.h"
#include "registry/source_name.h"

/* The short form in which Docker shows a name. */
static const char *shorten_name(const char *name)
{
	static const char hub[] = "docker.io/", library[] = "library/";

	if (strncmp(name, hub, sizeof(hub) - 1) != 0)
		return name;
	name += sizeof(hub) - 1;
	return strncmp(name, library, sizeof(library) - 1) ? name
							   : name + sizeof(library) - 1;
}

/* A list of one name, @name and @suffix; empty unless @is_shown. */
static void write_name_list(struct jsonwrite *w, const char *key, bool is_shown,
			    const char *name, size_t len, const char *suffix)
{
	char *text = NULL;

	jsonwrite_key(w, key);
	jsonwrite_open(w, '[');
	if (is_shown && asprintf(&text, "%.*s%s", (int)len, name, suffix) < 0) {
		text = NULL;
		w->failed = -ENOMEM;
	}
	if (text)
		jsonwrite_text(w, text);
	jsonwrite_close(w, ']');
	free(text);
}

/* The names that an archive gives its image. */
static void write_tags(struct jsonwrite *w, const char *tags)
{
	char *copy = strdup(tags), *rest = copy, *tag;

	if (!copy)
		w->failed = -ENOMEM;
	jsonwrite_key(w, "RepoTags");
	jsonwrite_open(w, '[');
	while ((tag = strsep(&rest, "\n")) && *tag)
		jsonwrite_text(w, shorten_name(tag));
	jsonwrite_close(w, ']');
	free(copy);
}

/* RepoTags and RepoDigests. An image on disk has no repository, but perhaps names. */
static void write_names(struct jsonwrite *w, const struct image *img)
{
	const struct descriptor *d = img->has_index ? &img->index_descriptor
						    : &img->manifest_descriptor;
	const char *name = shorten_name(img->name), *path, *tag;
	bool has_repository = !source_name_is_local(img->name);
	size_t len = strcspn(name, "@");
	char digest[DIGEST_TEXT_MAX + 1] = "@";

	path = memrchr(name, '/', len);
	if (!path)
		path = name;
	tag = memchr(path, ':', (size_t)(name + len - path));
	digest_format(&d->digest, digest + 1);
	if (img->tags)
		write_tags(w, img->tags);
	else
		write_name_list(w, "RepoTags", has_repository && tag, name, len, "");
	write_name_list(w, "RepoDigests", has_repository, name,
			tag ? (size_t)(tag - name) : len, digest);
}

/* Writes a member of the config, if there is one, under the name that it has here. */
static void write_from_config(struct jsonwrite *w, const char *key,
			      const struct json *config, const char *member)
{
	const struct json *value = json_member(config, member);

	if (value)
		jsonwrite_member_value(w, key, value);
}

static void write_size(struct jsonwrite *w, const struct image_facts *f)
{
	uint64_t size = 0;
	size_t i;

	if (!f->layers)
		return;
	for (i = 0; i < f->image->n_layers; i++) {
		if (f->layers[i].error)
			return;
		size = add_sizes(size, f->layers[i].files_size);
	}
	jsonwrite_member_number(w, "Size", (int64_t)size);
}

/* In the form of overlayfs: the topmost layer first, colons between the paths. */
static int append_lower_dirs(const struct image_facts *f, struct buf *out)
{
	size_t i = f->image->n_layers;
	char name[LAYER_TITLE_MAX];
	int rc = 0;

	while (rc == 0 && i-- > 0)
		rc = buf_printf(out, "%s/layers/%s%s", f->path,
				title_of_layer(f->image, (uint32_t)i, name),
				i ? ":" : "");
	return rc;
}

static void write_driver(struct jsonwrite *w, const struct image_facts *f)
{
	struct buf path;

	/* One path for each layer. */
	buf_init(&path, IMAGE_LAYERS_MAX * (strlen(f->path) + LAYER_TITLE_MAX + 16));
	jsonwrite_key(w, "GraphDriver");
	jsonwrite_open(w, '{');
	jsonwrite_key(w, "Data");
	jsonwrite_open(w, '{');
	if (append_lower_dirs(f, &path) < 0)
		w->failed = -ENOMEM;
	jsonwrite_member(w, "LowerDir", buf_text(&path));
	buf_clear(&path);
	if (buf_printf(&path, "%s/rootfs", f->path) < 0)
		w->failed = -ENOMEM;
	jsonwrite_member(w, "MergedDir", buf_text(&path));
	jsonwrite_close(w, '}');
	jsonwrite_member(w, "Name", "peelfs");
	jsonwrite_close(w, '}');
	buf_release(&path);
}

static void write_rootfs(struct jsonwrite *w, const struct image *img)
{
	char digest[DIGEST_TEXT_MAX];
	size_t i;

	jsonwrite_key(w, "RootFS");
	jsonwrite_open(w, '{');
	jsonwrite_member(w, "Type", "layers");
	jsonwrite_key(w, "Layers");
	jsonwrite_open(w, '[');
	for (i = 0; i < img->n_layers; i++)
		jsonwrite_text(w, digest_format(&img->diff_ids[i], digest));
	jsonwrite_close(w, ']');
	jsonwrite_close(w, '}');
}

int inspect_render(const struct image_facts *f, struct buf *out)
{
	const struct image *img = f->image;
	const struct history *h = f->history;
	const struct json *config = h->config;
	char digest[DIGEST_TEXT_MAX];
	struct jsonwrite w;

	jsonwrite_init(&w, out);
	jsonwrite_open(&w, '[');
	jsonwrite_open(&w, '{');
	jsonwrite_member(&w, "Id", digest_format(&img->config_descriptor.digest, digest));
	write_names(&w, img);
	jsonwrite_member(&w, "Comment", h->n ? h->steps[h->n - 1].comment : "");
	write_from_config(&w, "Created", config, "created");
	write_from_config(&w, "DockerVersion", config, "docker_version");
	write_from_config(&w, "Author", config, "author");
	write_from_config(&w, "Config", config, "config");
	write_from_config(&w, "Architecture", config, "architecture");
	write_from_config(&w, "Variant", config, "variant");
	write_from_config(&w, "Os", config, "os");
	write_from_config(&w, "OsVersion", config, "os.version");
	write_size(&w, f);
	if (f->path)
		write_driver(&w, f);
	write_rootfs(&w, img);
	jsonwrite_close(&w, '}');
	jsonwrite_close(&w, ']');
	return jsonwrite_finish(&w);
}
