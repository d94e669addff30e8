/* SPDX-License-Identifier: MIT */
/*
 * Three forms differ in where the files are:
 *
 *	oci:DIR[:TAG]		an OCI layout (image-spec image-layout.md): index.json names
 *				the images, blobs/ALG/HEX are the bytes
 *	oci-archive:FILE[:TAG]	a tar archive of an OCI layout
 *	dir:DIR			skopeo's form: manifest.json, and blobs named by HEX alone,
 *				or by ALG-HEX if ALG is not sha256
 *
 * A tag is an annotation of an entry in index.json.
 */
#include "registry/disk/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/source.h"
#include "registry/disk/archive.h"
#include "registry/disk/file.h"
#include "registry/disk/input.h"
#include "registry/image/document_kind.h"
#include "registry/image/manifest.h"

struct layout {
	struct backend backend;
	int dir;		 /* -1: an archive */
	struct archive *archive; /* NULL: a directory */
	bool is_plain;		 /* dir: */
	char *tag;		 /* NULL: the only image */
};

/* Files */

static int layout_open_file(struct layout *l, const char *path, struct source **out,
			    struct err *e)
{
	int rc;

	if (l->archive)
		return archive_member(l->archive, path, out, e);
	rc = file_open(l->dir, path, out, e);
	return rc == 0 || rc == -ENOENT ? rc : -EIO;
}

static int layout_read_file(struct layout *l, const char *path, struct buf *out,
			    struct err *e)
{
	struct source *s = NULL;
	int rc = layout_open_file(l, path, &s, e);

	if (rc < 0)
		return rc;
	rc = file_read(s, out, e);
	source_unref(s);
	return rc < 0 ? err_prefix(e, rc, "%s", path) : 0;
}

/* "blobs/sha256/HEX", or bare "HEX" or "sha512-HEX" */
static void layout_blob_path(const struct layout *l, const struct digest *d, char *out,
			     size_t max)
{
	char hex[DIGEST_TEXT_MAX];

	if (l->is_plain)
		snprintf(out, max, "%s%s%s",
			 d->alg == DIGEST_SHA256 ? "" : digest_alg_name(d->alg),
			 d->alg == DIGEST_SHA256 ? "" : "-", digest_hex(d, hex));
	else
		snprintf(out, max, "blobs/%s/%s", digest_alg_name(d->alg),
			 digest_hex(d, hex));
}

#define PATH_TEXT_MAX (DIGEST_TEXT_MAX + 32)

static const char *entry_tag(const struct descriptor *d)
{
	return descriptor_annotation(d, "org.opencontainers.image.ref.name");
}

/* The wanted entry. containerd also writes the full reference of an image. */
static const struct descriptor *find_entry(const struct layout *l,
					   const struct entries *en)
{
	size_t i;

	if (!l->tag)
		return en->n == 1 ? &en->list[0] : NULL;
	for (i = 0; i < en->n; i++) {
		const char *tag = entry_tag(&en->list[i]);
		const char *name = descriptor_annotation(&en->list[i],
							 "io.containerd.image.name");

		if ((tag && strcmp(tag, l->tag) == 0) ||
		    (name && strcmp(name, l->tag) == 0))
			return &en->list[i];
	}
	return NULL;
}

static int no_such_tag(const struct layout *l, const struct entries *en, struct err *e)
{
	struct buf list;
	size_t i;
	int rc;

	buf_init(&list, ERR_TEXT_MAX / 2);
	for (i = 0; i < en->n; i++) {
		const char *tag = entry_tag(&en->list[i]);

		if (tag && buf_printf(&list, "%s%s", list.len ? ", " : "", tag) < 0)
			break;
	}
	if (l->tag)
		rc = err_set(e, -ENOENT, "no image has the tag %s; the tags are: %s",
			     l->tag, list.len ? buf_text(&list) : "none");
	else if (en->n == 0)
		rc = err_set(e, -ENOENT, "it contains no image");
	else
		rc = err_set(
			e, -ENOENT,
			"it contains %zu images; append :TAG to choose one; the tags are: %s",
			en->n, list.len ? buf_text(&list) : "none");
	buf_release(&list);
	return rc;
}

/* Several images with platforms and without tags are one multi-platform image. */
static bool is_multi_platform(const struct layout *l, const struct entries *en)
{
	size_t i;

	for (i = 0; i < en->n; i++) {
		if (entry_tag(&en->list[i]) || !en->list[i].has_platform)
			return false;
	}
	return !l->tag && en->n > 1;
}

/* A root that no descriptor names: its digest is computed, not checked. */
static int root_of_bytes(const struct buf *from, const char *media, struct buf *bytes,
			 struct descriptor *out)
{
	struct descriptor d = {.size = from->len, .media_type = strdup(media)};
	int rc = d.media_type ? digest_of(DIGEST_SHA256, from->data, from->len, &d.digest)
			      : -ENOMEM;

	if (rc == 0)
		rc = buf_append(bytes, from->data, from->len);
	if (rc < 0)
		descriptor_release(&d);
	else
		*out = d;
	return rc;
}

static int read_root(struct layout *l, const struct descriptor *d, struct buf *bytes,
		     struct descriptor *out, struct err *e)
{
	char path[PATH_TEXT_MAX];
	struct digest real;
	int rc;

	layout_blob_path(l, &d->digest, path, sizeof(path));
	rc = layout_read_file(l, path, bytes, e);
	if (rc < 0)
		return rc;
	if (digest_of(d->digest.alg, bytes->data, bytes->len, &real) < 0)
		return -ENOMEM;
	if (!digest_equal(&real, &d->digest))
		return err_set(e, -EBADMSG, "%s: the file has another digest", path);
	*out = (struct descriptor){
		.digest = d->digest,
		.size = bytes->len,
		.media_type = strdup(d->media_type),
	};
	return out->media_type ? 0 : -ENOMEM;
}

/*
 * The wanted entry may not be an image, but an artifact or something unsupported. -ENOENT: no
 * such entry.
 */
static int root_of_non_images(struct layout *l, const struct buf *index,
			      struct buf *bytes, struct descriptor *out, struct err *e)
{
	const struct descriptor *d;
	struct entries all = {0};
	int rc = -ENOENT;

	if (entries_parse_all(index->data, index->len, &all, e) < 0)
		return -ENOMEM; /* it has been parsed before */
	d = find_entry(l, &all);
	if (d && document_kind_of(d->media_type) != DOCUMENT_UNKNOWN) {
		rc = read_root(l, d, bytes, out, e);
		if (rc == -ENOENT)
			rc = -EIO; /* the blob is missing; @e says so */
	} else if (d) {
		rc = err_set(e, -ENOTSUP,
			     "neither an image nor an image index, but %.100s",
			     d->media_type[0] ? d->media_type : "something else");
	}
	entries_release(&all);
	return rc;
}

static int no_index(struct layout *l, struct err *e)
{
	struct source *s = NULL;
	bool is_docker = l->archive &&
			 layout_open_file(l, "manifest.json", &s, NULL) == 0;

	source_unref(s);
	return err_set(e, -ENOENT, "not an OCI layout: it has no index.json%s",
		       is_docker ? "; as docker-archive: it can be read" : "");
}

static int parse_index(const struct buf *index, struct entries *out, struct err *e)
{
	int rc = entries_parse(index->data, index->len, out, e);

	return rc < 0 ? err_prefix(e, rc, "index.json") : 0;
}

static int root_of_index(struct layout *l, struct buf *bytes, struct descriptor *out,
			 struct err *e)
{
	const struct descriptor *d;
	struct entries en = {0};
	struct buf index;
	int rc;

	buf_init(&index, DOCUMENT_MAX);
	rc = layout_read_file(l, "index.json", &index, e);
	if (rc == -ENOENT)
		rc = no_index(l, e);
	if (rc == 0)
		rc = parse_index(&index, &en, e);
	d = rc == 0 ? find_entry(l, &en) : NULL;
	if (d) {
		rc = read_root(l, d, bytes, out, e);
	} else if (rc == 0 && is_multi_platform(l, &en)) {
		rc = root_of_bytes(&index, MEDIA_OCI_INDEX, bytes, out);
	} else if (rc == 0) {
		rc = root_of_non_images(l, &index, bytes, out, e);
		if (rc == -ENOENT)
			rc = no_such_tag(l, &en, e);
	}
	entries_release(&en);
	buf_release(&index);
	return rc;
}

static int root_of_dir(struct layout *l, struct buf *bytes, struct descriptor *out,
		       struct err *e)
{
	struct buf manifest;
	int rc;

	buf_init(&manifest, DOCUMENT_MAX);
	rc = layout_read_file(l, "manifest.json", &manifest, e);
	if (rc == 0)
		rc = root_of_bytes(&manifest, "", bytes, out);
	buf_release(&manifest);
	return rc;
}

static int layout_root(struct backend *b, struct buf *bytes, struct descriptor *out,
		       struct err *e)
{
	struct layout *l = (struct layout *)b;
	int rc = l->archive ? archive_scan(l->archive, e) : 0;

	if (rc == 0)
		rc = l->is_plain ? root_of_dir(l, bytes, out, e)
				 : root_of_index(l, bytes, out, e);

	return rc < 0 ? err_prefix(e, rc, "%s", b->name) : 0;
}

static int layout_document(struct backend *b, const struct descriptor *d,
			   struct buf *bytes, struct err *e)
{
	struct layout *l = (struct layout *)b;
	char path[PATH_TEXT_MAX];
	int rc;

	layout_blob_path(l, &d->digest, path, sizeof(path) - strlen(".manifest.json"));
	rc = layout_read_file(l, path, bytes, e);
	/* For the images of an index, dir: adds a suffix to the names of manifests. */
	if (rc == -ENOENT && l->is_plain) {
		strcat(path, ".manifest.json");
		rc = layout_read_file(l, path, bytes, e);
	}
	return rc;
}

static int layout_blob(struct backend *b, const struct descriptor *d, struct source **out,
		       struct err *e)
{
	struct layout *l = (struct layout *)b;
	char path[PATH_TEXT_MAX];
	struct source *s;
	int rc;

	layout_blob_path(l, &d->digest, path, sizeof(path));
	rc = layout_open_file(l, path, &s, e);
	if (rc < 0)
		return err_prefix(e, rc, "%s", b->name);
	if (s->size != d->size) {
		rc = err_set(e, -EBADMSG,
			     "%s: %s has %llu bytes, but the manifest says %llu", b->name,
			     path, (unsigned long long)s->size,
			     (unsigned long long)d->size);
		source_unref(s);
		return rc;
	}
	*out = s;
	return 0;
}

/* Those of the images of an index have the digest in their names. */
static int layout_signature(struct backend *b, const struct digest *of, unsigned n,
			    struct buf *bytes, struct err *e)
{
	struct layout *l = (struct layout *)b;
	char path[PATH_TEXT_MAX], hex[DIGEST_TEXT_MAX];
	int rc;

	snprintf(path, sizeof(path), "%s.signature-%u", digest_hex(of, hex), n);
	rc = layout_read_file(l, path, bytes, e);
	if (rc == -ENOENT) {
		snprintf(path, sizeof(path), "signature-%u", n);
		rc = layout_read_file(l, path, bytes, e);
	}
	return rc;
}

static void layout_close(struct backend *b)
{
	struct layout *l = (struct layout *)b;

	archive_free(l->archive);
	if (l->dir >= 0)
		close(l->dir);
	free(l->tag);
	free(b->name);
	free(b->path);
	free(l);
}

static const struct backend_ops layout_ops = {
	.root = layout_root,
	.document = layout_document,
	.blob = layout_blob,
	.close = layout_close,
};

static const struct backend_ops dir_ops = {
	.root = layout_root,
	.document = layout_document,
	.blob = layout_blob,
	.signature = layout_signature,
	.close = layout_close,
};

static int layout_open_dir(struct layout *l, const char *path, struct err *e)
{
	l->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return l->dir < 0 ? err_set(e, -errno, "%s: %s", path, strerror(errno)) : 0;
}

/* Standard input has no path. Any other failure could hide the scope of a policy. */
static int layout_find_path(struct layout *l, const char *path, struct err *e)
{
	if (l->archive && strcmp(path, INPUT_STANDARD) == 0)
		return 0;
	l->backend.path = realpath(path, NULL);
	return l->backend.path ? 0 : err_set(e, -errno, "%s: %s", path, strerror(errno));
}

static const char *const transports[] = {
	[LAYOUT_OCI] = "oci",
	[LAYOUT_ARCHIVE] = "oci-archive",
	[LAYOUT_PLAIN] = "dir",
};

int layout_open(const char *source, const char *text, enum layout_form form,
		const struct archive_helper *h, struct backend **out, struct err *e)
{
	struct layout *l = calloc(1, sizeof(*l));
	char *path = NULL;
	int rc = -ENOMEM;

	if (!l)
		return err_set(e, rc, "out of memory");
	l->backend.ops = form == LAYOUT_PLAIN ? &dir_ops : &layout_ops;
	l->backend.is_local = true;
	l->backend.transport = transports[form];
	l->is_plain = form == LAYOUT_PLAIN;
	l->dir = -1;
	l->backend.name = strdup(source);
	if (l->backend.name && l->is_plain)
		rc = (path = strdup(text)) ? 0 : -ENOMEM;
	else if (l->backend.name)
		rc = file_split(text, &path, &l->tag);
	if (rc == 0)
		rc = form == LAYOUT_ARCHIVE ? archive_open(path, h, &l->archive, e)
					    : layout_open_dir(l, path, e);
	if (rc == -ENOMEM)
		err_set(e, rc, "out of memory");
	if (rc == 0)
		rc = layout_find_path(l, path, e);
	free(path);
	if (rc < 0)
		layout_close(&l->backend);
	else
		*out = &l->backend;
	return rc;
}
