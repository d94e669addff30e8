/* SPDX-License-Identifier: MIT */
/*
 * An image in an OCI layout directory (image-spec image-layout.md): index.json names
 * the images, blobs/ALG/HEX are the bytes. A tag is an annotation of an entry.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/source.h"
#include "registry/backend.h"
#include "registry/manifest.h"

struct layout {
	struct backend backend;
	int dir;
	char *tag; /* NULL: the only image there is */
};

static int read_file(int dir, const char *path, struct buf *out, struct err *e)
{
	char chunk[16384];
	ssize_t n;
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int rc = 0;

	if (fd < 0)
		return err_set(e, errno == ENOENT ? -ENOENT : -EIO, "%s: %s", path,
			       strerror(errno));
	while (rc == 0 && (n = read(fd, chunk, sizeof(chunk))) != 0) {
		if (n < 0 && errno != EINTR)
			rc = err_set(e, -EIO, "%s: %s", path, strerror(errno));
		else if (n > 0)
			rc = buf_append(out, chunk, (size_t)n);
	}
	close(fd);
	if (rc == -E2BIG)
		err_set(e, rc, "%s: larger than the %zu bytes that are read", path, out->max);
	return rc;
}

/* "blobs/sha256/HEX" */
static void blob_path(const struct digest *d, char *out, size_t max)
{
	char hex[DIGEST_TEXT_MAX];

	snprintf(out, max, "blobs/%s/%s", digest_alg_name(d->alg), digest_hex(d, hex));
}

#define PATH_TEXT_MAX (DIGEST_TEXT_MAX + 16)

static const char *tag_of(const struct descriptor *d)
{
	return descriptor_annotation(d, "org.opencontainers.image.ref.name");
}

static int no_such_tag(const struct layout *l, const struct entries *en, struct err *e)
{
	struct buf list;
	size_t i;
	int rc;

	buf_init(&list, ERR_TEXT_MAX / 2);
	for (i = 0; i < en->n; i++) {
		const char *tag = tag_of(&en->list[i]);

		if (tag && buf_printf(&list, "%s%s", list.len ? ", " : "", tag) < 0)
			break;
	}
	if (l->tag)
		rc = err_set(e, -ENOENT, "no image with the tag %s in it; there is %s", l->tag,
			     list.len ? buf_text(&list) : "none with a tag");
	else if (en->n == 0)
		rc = err_set(e, -ENOENT, "no image in it");
	else
		rc = err_set(e, -ENOENT, "%zu images in it; say which as oci:DIR:TAG, with %s", en->n,
			     list.len ? buf_text(&list) : "a tag of its index.json");
	buf_release(&list);
	return rc;
}

/* The entry that is meant; containerd also writes the full reference of an image. */
static const struct descriptor *find(const struct layout *l, const struct entries *en)
{
	size_t i;

	if (!l->tag)
		return en->n == 1 ? &en->list[0] : NULL;
	for (i = 0; i < en->n; i++) {
		const char *tag = tag_of(&en->list[i]);
		const char *name = descriptor_annotation(&en->list[i], "io.containerd.image.name");

		if ((tag && !strcmp(tag, l->tag)) || (name && !strcmp(name, l->tag)))
			return &en->list[i];
	}
	return NULL;
}

/* Several images without tags are one image for several platforms. */
static bool is_one_for_many(const struct layout *l, const struct entries *en)
{
	size_t i;

	for (i = 0; i < en->n; i++) {
		if (tag_of(&en->list[i]) || !en->list[i].has_platform)
			return false;
	}
	return !l->tag && en->n > 1;
}

static int take_root(struct layout *l, const struct descriptor *d, struct buf *bytes,
		     struct descriptor *out, struct err *e)
{
	char path[PATH_TEXT_MAX];
	struct digest real;
	int rc;

	blob_path(&d->digest, path, sizeof(path));
	rc = read_file(l->dir, path, bytes, e);
	if (rc < 0)
		return rc;
	if (digest_of(d->digest.alg, bytes->data, bytes->len, &real) < 0)
		return -ENOMEM;
	if (!digest_equal(&real, &d->digest))
		return err_set(e, -EBADMSG, "%s: its bytes have another digest", path);
	*out = (struct descriptor){
		.digest = d->digest,
		.size = bytes->len,
		.media_type = strdup(d->media_type),
	};
	return out->media_type ? 0 : -ENOMEM;
}

static int layout_root(struct backend *b, struct buf *bytes, struct descriptor *out,
		       struct err *e)
{
	struct layout *l = (struct layout *)b;
	const struct descriptor *d;
	struct entries en = {0};
	struct buf index;
	int rc;

	buf_init(&index, DOCUMENT_MAX);
	rc = read_file(l->dir, "index.json", &index, e);
	if (rc == -ENOENT)
		rc = err_set(e, rc, "not an OCI layout: no index.json in it");
	if (rc == 0)
		rc = entries_parse(index.data, index.len, &en, e);
	d = rc == 0 ? find(l, &en) : NULL;
	if (d) {
		rc = take_root(l, d, bytes, out, e);
	} else if (rc == 0 && is_one_for_many(l, &en)) {
		*out = (struct descriptor){.size = index.len, .media_type = strdup(MEDIA_OCI_INDEX)};
		rc = out->media_type ? digest_of(DIGEST_SHA256, index.data, index.len, &out->digest)
				     : -ENOMEM;
		if (rc == 0)
			rc = buf_append(bytes, index.data, index.len);
	} else if (rc == 0) {
		rc = no_such_tag(l, &en, e);
	}
	entries_release(&en);
	buf_release(&index);
	return rc < 0 ? err_prefix(e, rc, "%s", b->name) : 0;
}

static int layout_document(struct backend *b, const struct descriptor *d, struct buf *bytes,
			   struct err *e)
{
	char path[PATH_TEXT_MAX];

	blob_path(&d->digest, path, sizeof(path));
	return read_file(((struct layout *)b)->dir, path, bytes, e);
}

static int layout_blob(struct backend *b, const struct descriptor *d, struct source **out,
		       struct err *e)
{
	char path[PATH_TEXT_MAX];
	struct source *s;
	int fd, rc;

	blob_path(&d->digest, path, sizeof(path));
	fd = openat(((struct layout *)b)->dir, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return err_set(e, errno == ENOENT ? -ENOENT : -EIO, "%s: %s: %s", b->name, path,
			       strerror(errno));
	rc = source_file(fd, &s, e);
	if (rc < 0)
		return err_prefix(e, rc, "%s: %s", b->name, path);
	if (s->size != d->size) {
		rc = err_set(e, -EBADMSG, "%s: %s has %llu bytes, the manifest says %llu", b->name,
			     path, (unsigned long long)s->size, (unsigned long long)d->size);
		source_unref(s);
		return rc;
	}
	*out = s;
	return 0;
}

static void layout_close(struct backend *b)
{
	struct layout *l = (struct layout *)b;

	if (l->dir >= 0)
		close(l->dir);
	free(l->tag);
	free(b->name);
	free(l);
}

static const struct backend_ops layout_ops = {
	.root = layout_root,
	.document = layout_document,
	.blob = layout_blob,
	.close = layout_close,
};

int layout_open(const char *text, struct backend **out, struct err *e)
{
	const char *colon = strchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : strlen(text);
	struct layout *l = calloc(1, sizeof(*l));
	size_t name_len = strlen(text) + sizeof("oci:");
	char *dir = strndup(text, len);
	int rc = -ENOMEM;

	if (!l || !dir)
		goto out;
	l->backend.ops = &layout_ops;
	l->backend.is_local = true;
	l->dir = -1;
	l->backend.name = malloc(name_len);
	l->tag = colon && colon[1] ? strdup(colon + 1) : NULL;
	if (!l->backend.name || (colon && colon[1] && !l->tag))
		goto out;
	snprintf(l->backend.name, name_len, "oci:%s", text);
	l->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	rc = l->dir < 0 ? -errno : 0;
out:
	if (rc == -ENOMEM)
		err_set(e, rc, "out of memory");
	else if (rc < 0)
		err_set(e, rc, "%s: %s", dir, strerror(-rc));
	if (rc < 0 && l)
		layout_close(&l->backend);
	else if (rc == 0)
		*out = &l->backend;
	free(dir);
	return rc;
}
