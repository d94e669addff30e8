/* SPDX-License-Identifier: MIT */
#include "fs/ocilayout.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/jsonwrite.h"
#include "base/source.h"
#include "base/store.h"
#include "fs/mount.h"
#include "fs/others.h"
#include "registry/origin.h"

/* DOCUMENTS */

bool ocilayout_uses(const struct view *v, enum digest_alg alg)
{
	const struct image *img = v->image;
	size_t i;

	for (i = 0; i < img->n_layers; i++) {
		if (img->layers[i].digest.alg == alg)
			return true;
	}
	return img->manifest_descriptor.digest.alg == alg ||
	       img->config_descriptor.digest.alg == alg ||
	       (others_are_shown(v) && img->index_descriptor.digest.alg == alg);
}

int ocilayout_render(const struct view *v, const struct history *h, uint32_t none,
		     struct buf *out)
{
	(void)v;
	(void)h;
	(void)none;
	return buf_append_text(out, "{\"imageLayoutVersion\": \"1.0.0\"}\n");
}

/*
 * The tag in the name of an image: "host:5000/name:tag@sha256:...", "oci:dir:tag",
 * "docker-archive:file:name:tag". What has none is "latest", as everywhere.
 */
static const char *find_tag(const char *name, size_t *len)
{
	const char *end = strstr(name, "@sha"), *colon, *first;
	size_t n = end ? (size_t)(end - name) : strlen(name);

	colon = memrchr(name, ':', n);
	first = memchr(name, ':', n);
	*len = colon ? (size_t)(name + n - colon) - 1 : 0;
	/* The colon of "oci:dir", of a port, of "file:@0": none of them leads to a tag. */
	if (*len == 0 || memchr(colon, '/', *len) || colon[1] == '@' ||
	    (colon == first && strncmp(name, "oci:", 4) == 0) ||
	    (colon == first && strncmp(name, "dir:", 4) == 0)) {
		*len = 6;
		return "latest";
	}
	return colon + 1;
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
 * All of an index has the tag. Some tools cannot choose from one, so the image that is
 * mounted has a tag, too: "1.27-linux-amd64".
 */
int ocilayout_index(const struct view *v, const struct history *h, uint32_t none,
		    struct buf *out)
{
	const struct image *img = v->image;
	bool is_whole = others_are_shown(v);
	char platform[PLATFORM_TEXT_MAX], *tag = NULL, *own = NULL;
	struct jsonwrite w;
	size_t len;
	const char *at = find_tag(img->name, &len);
	int r = -ENOMEM;

	(void)h;
	(void)none;
	tag = strndup(at, len);
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
	if (is_whole)
		write_entry(&w, img, true, tag);
	write_entry(&w, img, false, is_whole ? own : tag);
	jsonwrite_close(&w, ']');
	jsonwrite_close(&w, '}');
	r = jsonwrite_finish(&w);
out:
	free(tag);
	free(own);
	return r;
}

/* BLOBS */

struct blob {
	pthread_mutex_t lock;
	pthread_cond_t done;
	bool is_busy; /* under lock: somebody fetches it */
	/* under lock: it has not its digest, and will not be asked again */
	bool is_bad;
	int fd; /* under lock: -1 until all of it is there and verified */
};

static void free_blob(struct blob *b)
{
	pthread_cond_destroy(&b->done);
	pthread_mutex_destroy(&b->lock);
	free(b);
}

void blob_free(struct blob *b)
{
	if (!b)
		return;
	if (b->fd >= 0)
		close(b->fd);
	free_blob(b);
}

/* That of a layer, made by the first who wants it. NULL: out of memory. */
static struct blob *blob_of(struct mount_layer *l)
{
	struct blob *b = __atomic_load_n(&l->blob, __ATOMIC_ACQUIRE), *mine;

	if (b)
		return b;
	mine = calloc(1, sizeof(*mine));
	if (!mine)
		return NULL;
	pthread_mutex_init(&mine->lock, NULL);
	pthread_cond_init(&mine->done, NULL);
	mine->fd = -1;
	if (__atomic_compare_exchange_n(&l->blob, &b, mine, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		return mine;
	free_blob(mine);
	return b;
}

static bool is_true(const bool *cancelled)
{
	return cancelled && __atomic_load_n(cancelled, __ATOMIC_SEQ_CST);
}

static int write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

/* The whole stream into @fd; its length and digest. */
static int copy_stream(struct stream *st, int fd, const struct descriptor *d,
		       const bool *cancelled, struct err *e)
{
	struct hasher *hasher = NULL;
	struct digest found;
	const void *data;
	uint64_t size = 0;
	ssize_t n = 0;
	int r = hasher_new(d->digest.alg, &hasher);

	while (r == 0 && (n = stream_next(st, &data, e)) > 0) {
		size += (uint64_t)n;
		hasher_update(hasher, data, (size_t)n);
		r = size > d->size ? 0 : write_all(fd, data, (size_t)n);
		if (r < 0)
			err_set(e, r, "cannot write to the cache: %s", strerror(-r));
		else if (is_true(cancelled))
			r = -EINTR;
		else if (size > d->size)
			break;
	}
	if (r == 0 && n < 0)
		r = (int)n;
	if (r == 0) {
		hasher_finish(hasher, &found);
		if (size != d->size || !digest_equal(&found, &d->digest))
			r = err_set(e, -EBADMSG, "its bytes do not have its digest");
	}
	hasher_free(hasher);
	return r;
}

/* A descriptor of the verified blob, or negative. */
static int fetch(struct mount *m, const struct mount_layer *l, const bool *cancelled,
		 struct err *e)
{
	const struct descriptor *d = &l->descriptor;
	struct source *source = NULL;
	struct stream *st = NULL;
	int r, fd = -1;

	r = origin_blob(l->origin, d, &source, e);
	if (r < 0)
		return r;
	if (!store_make_room(m->store, d->size))
		r = err_set(e, -ENOSPC, "there is no room for it in the cache");
	if (r == 0) {
		fd = store_new_file(m->store);
		if (fd < 0)
			r = err_set(e, fd, "cannot write to the cache: %s",
				    strerror(-fd));
	}
	if (r == 0)
		r = source_stream(source, 0, &st, e);
	if (r == 0)
		r = copy_stream(st, fd, d, cancelled, e);
	stream_close(st);
	source_unref(source);
	if (r < 0 && fd >= 0)
		close(fd);
	return r < 0 ? r : fd;
}

/* Under the lock: until nobody is at it. Looks at @cancelled now and then. */
static int wait_for_other(struct blob *b, const bool *cancelled)
{
	struct timespec until;

	while (b->is_busy) {
		if (is_true(cancelled))
			return -EINTR;
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += 100 * 1000000;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		pthread_cond_timedwait(&b->done, &b->lock, &until);
	}
	return 0;
}

/* The blob's descriptor, which stays as long as the layer is pinned. */
static int get_blob(struct mount *m, struct mount_layer *l, const bool *cancelled)
{
	struct blob *b = blob_of(l);
	char digest[DIGEST_TEXT_MAX];
	struct err e = {""};
	bool is_bad;
	int r;

	if (!b)
		return -ENOMEM;
	pthread_mutex_lock(&b->lock);
	r = wait_for_other(b, cancelled);
	if (r < 0 || b->is_bad || b->fd >= 0) {
		r = r < 0 ? r : b->is_bad ? -EIO : b->fd;
		pthread_mutex_unlock(&b->lock);
		return r;
	}
	b->is_busy = true;
	pthread_mutex_unlock(&b->lock);

	r = fetch(m, l, cancelled, &e);
	is_bad = r == -EBADMSG;
	if (r < 0) {
		err_prefix(&e, r, "%s %s", l->is_file ? "blob" : "layer",
			   digest_format(&l->descriptor.digest, digest));
		r = mount_failed(m, l, r, e.text);
	}
	pthread_mutex_lock(&b->lock);
	b->is_busy = false;
	b->is_bad = is_bad;
	if (r >= 0)
		b->fd = r;
	pthread_cond_broadcast(&b->done);
	pthread_mutex_unlock(&b->lock);
	return r;
}

ssize_t blob_read(struct mount *m, struct mount_layer *l, void *buf, size_t size,
		  uint64_t off, const bool *cancelled)
{
	uint64_t len = l->descriptor.size;
	ssize_t n;
	int fd;

	if (off >= len)
		return 0;
	if (size > len - off)
		size = (size_t)(len - off);
	fd = get_blob(m, l, cancelled);
	if (fd < 0)
		return fd;
	do {
		n = pread(fd, buf, size, (off_t)off);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -EIO : n;
}
