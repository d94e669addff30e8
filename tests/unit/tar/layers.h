/* SPDX-License-Identifier: MIT */
/*
 * Whole layers of each kind, their blobs, and a comparison of what is read with the archive.
 */
#ifndef TESTS_UNIT_TAR_LAYERS_H
#define TESTS_UNIT_TAR_LAYERS_H

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/source.h"
#include "base/store/store.h"
#include "tar/layer.h"
#include "tests/unit/makers.h"
#include "tests/unit/place.h"
#include "tests/unit/tarball.h"
#include "tests/unit/test.h"

#define N_FILES 24

static struct buf plain;   /* the archive */
static struct buf content; /* of all files, one behind another */

static struct {
	size_t off, len; /* in content */
} files[N_FILES];

/* Layers of each kind */

enum { PLAIN, GZIP, GZIP_MEMBERS, ZSTD, ZSTD_FRAMES, N_FORMS };

static struct form {
	const char *name;
	struct buf bytes;
	struct digest digest;
} forms[N_FORMS] = {{.name = "plain"},
		    {.name = "gzip"},
		    {.name = "gzip, members"},
		    {.name = "zstd"},
		    {.name = "zstd, frames"}};

static inline void must(int rc, const char *what)
{
	if (rc >= 0)
		return;
	printf("Bail out! %s: %s\n", what, strerror(-rc));
	exit(1);
}

/* Text, noise and zeros; the last file is zeros to the end of the archive. */
static inline void make_archive(void)
{
	static const size_t sizes[] = {0, 1, 511, 512, 70000, 800000, 4096, 333333};
	uint8_t h[512];
	char name[32];
	size_t i;

	archive_init(&plain);
	archive_init(&content);
	for (i = 0; i < N_FILES; i++) {
		size_t len = i == N_FILES - 1 ? 1600000 : sizes[i % 8];

		files[i].off = content.len;
		files[i].len = len;
		if (i == N_FILES - 1 || i % 8 == 6)
			archive_zeros(&content, len);
		else
			make_plain(&content, content.len + len);
		snprintf(name, sizeof(name), "dir/file%02zu", i);
		header_make(h, name, '0', len);
		archive_header(&plain, h);
		archive_content(&plain, content.data + files[i].off, len);
	}
	archive_end(&plain);
	archive_zeros(&plain,
		      8192 - plain.len % 4096); /* whole pages of them at the end */
}

static inline void make_forms(void)
{
	int i;

	for (i = 0; i < N_FORMS; i++)
		archive_init(&forms[i].bytes);
	archive_add(&forms[PLAIN].bytes, plain.data, plain.len);
	make_gzip(&forms[GZIP].bytes, plain.data, plain.len,
		  &(struct gzip_form){.level = 6});
	make_gzip(&forms[GZIP_MEMBERS].bytes, plain.data, plain.len,
		  &(struct gzip_form){.level = 1, .member = 700000});
	make_zstd(&forms[ZSTD].bytes, plain.data, plain.len,
		  &(struct zstd_form){.level = 3, .checksum = 1});
	make_zstd(&forms[ZSTD_FRAMES].bytes, plain.data, plain.len,
		  &(struct zstd_form){.level = 3, .frame = 900000, .skippable = 1});
	for (i = 0; i < N_FORMS; i++)
		must(digest_of(DIGEST_SHA256, forms[i].bytes.data, forms[i].bytes.len,
			       &forms[i].digest),
		     "a digest");
}

/* A blob that counts its readers and misbehaves on request. */
struct blob {
	struct source source;
	const char *bytes;
	unsigned preads, streams; /* atomic */
	unsigned fail;		  /* preads to fail, atomic */
	bool *cancel;		  /* set in the middle of a stream */
	unsigned slow_us;	  /* before each piece of a stream */
	unsigned *stall;	  /* a stream sets this and then stops */
	uint64_t cut;		  /* if not 0, a stream fails at this byte */
	const char *spoiled;	  /* the bytes of the first @n_spoiled streams */
	unsigned n_spoiled;
	uint64_t from; /* where the last stream began */
	uint64_t sent; /* bytes, by all streams */
	bool held;     /* preads wait, under the mutex */
	unsigned waiting;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
};

struct blob_stream {
	struct stream stream;
	struct blob *blob;
	const char *bytes;
	uint64_t off;
};

static inline ssize_t blob_pread(struct source *s, void *buf, size_t len, uint64_t off,
				 struct err *e)
{
	struct blob *b = (struct blob *)s;

	__atomic_fetch_add(&b->preads, 1, __ATOMIC_RELAXED);
	pthread_mutex_lock(&b->mutex);
	b->waiting++;
	pthread_cond_broadcast(&b->changed);
	while (b->held)
		pthread_cond_wait(&b->changed, &b->mutex);
	b->waiting--;
	pthread_mutex_unlock(&b->mutex);
	if (__atomic_load_n(&b->fail, __ATOMIC_RELAXED) > 0) {
		__atomic_fetch_sub(&b->fail, 1, __ATOMIC_RELAXED);
		return err_set(e, -EIO, "the host is gone");
	}
	memcpy(buf, b->bytes + off, len);
	return (ssize_t)len;
}

static inline ssize_t blob_next(struct stream *st, const void **data, struct err *e)
{
	struct blob_stream *bs = (struct blob_stream *)st;
	struct timespec wait = {.tv_nsec = 1000 * (long)bs->blob->slow_us};
	uint64_t left = bs->blob->source.size - bs->off;
	size_t n = left < 50001 ? (size_t)left : 50001;

	if (bs->blob->slow_us)
		nanosleep(&wait, NULL);
	if (bs->blob->stall && bs->off > 0) {
		__atomic_store_n(bs->blob->stall, 1, __ATOMIC_RELEASE);
		pause();
	}
	if (bs->blob->cancel && bs->off > bs->blob->source.size / 2)
		__atomic_store_n(bs->blob->cancel, true, __ATOMIC_RELAXED);
	if (bs->off > 0 && __atomic_load_n(&bs->blob->fail, __ATOMIC_RELAXED) > 0)
		return err_set(e, -EIO, "the host is gone");
	if (bs->blob->cut && n > bs->blob->cut - bs->off)
		n = (size_t)(bs->blob->cut - bs->off);
	if (bs->blob->cut && n == 0)
		return err_set(e, -EIO, "the host is gone");
	*data = bs->bytes + bs->off;
	bs->off += n;
	bs->blob->sent += n;
	return (ssize_t)n;
}

static inline void blob_close(struct stream *st)
{
	source_unref(&((struct blob_stream *)st)->blob->source);
	free(st);
}

static inline int blob_stream(struct source *s, uint64_t off, struct stream **out,
			      struct err *e)
{
	static const struct stream_ops ops = {.next = blob_next, .close = blob_close};
	struct blob_stream *bs = calloc(1, sizeof(*bs));
	struct blob *b = (struct blob *)s;
	unsigned before;

	(void)e;
	if (!bs)
		return -ENOMEM;
	before = __atomic_fetch_add(&b->streams, 1, __ATOMIC_RELAXED);
	*bs = (struct blob_stream){
		.stream = {&ops},
		.blob = (struct blob *)source_ref(s),
		.bytes = before < b->n_spoiled ? b->spoiled : b->bytes,
		.off = off,
	};
	b->from = off;
	*out = &bs->stream;
	return 0;
}

static inline void blob_release(struct source *s)
{
	(void)s; /* on the stack of the test, which checks it after the layer is freed */
}

static inline void blob_init(struct blob *b, const void *bytes, size_t size)
{
	static const struct source_ops ops = {
		.pread = blob_pread,
		.stream = blob_stream,
		.release = blob_release,
	};

	*b = (struct blob){.bytes = bytes};
	source_init(&b->source, &ops, size);
	pthread_mutex_init(&b->mutex, NULL);
	pthread_cond_init(&b->changed, NULL);
}

static inline void blob_hold(struct blob *b, bool held)
{
	pthread_mutex_lock(&b->mutex);
	b->held = held;
	pthread_cond_broadcast(&b->changed);
	pthread_mutex_unlock(&b->mutex);
}

static inline void blob_wait_for_reader(struct blob *b)
{
	pthread_mutex_lock(&b->mutex);
	while (b->waiting == 0)
		pthread_cond_wait(&b->changed, &b->mutex);
	pthread_mutex_unlock(&b->mutex);
}

/* Open objects, for a leak checker to find when a failed check ends the test early. */
static struct store *volatile last_store;
static struct layer *volatile last_layer;

/* Creates and loads a layer of form @f. Returns the result of loading. */
static inline int load_form(struct store *s, const struct form *f, struct blob *b,
			    struct layer **out, struct err *e)
{
	blob_init(b, f->bytes.data, f->bytes.len);
	must(layer_new(s, &f->digest, &b->source, out), "a layer");
	last_layer = *out;
	return layer_load(*out, NULL, e);
}

static inline struct store *open_store(const char *name)
{
	struct store *s = NULL;

	must(store_open(place_path(name), &s, NULL), "a store");
	last_store = s;
	return s;
}

/* Reading */

/* Reads decoded bytes as a mount does. 0 or a negative errno. */
static inline int read_decoded(struct layer *l, uint64_t off, size_t len, char *out)
{
	struct layer_data d;
	size_t n, done;
	int rc;

	for (done = 0; done < len; done += n) {
		n = len - done;
		rc = layer_get(l, off + done, &n, NULL, &d, NULL);
		if (rc < 0)
			return rc;
		if (n == 0 || n > len - done)
			return -EPROTO;
		if (d.fd >= 0)
			rc = pread(d.fd, out + done, n, (off_t)d.off) == (ssize_t)n
				     ? 0
				     : -EPIPE;
		else
			memcpy(out + done, d.mem, n);
		layer_unget(l, &d);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static inline bool file_is_right(struct layer *l, unsigned i, char *room)
{
	const struct index *ix = layer_index(l);
	uint64_t len, data;
	struct entry e;
	struct digest d;
	char name[32];

	snprintf(name, sizeof(name), "file%02u", i);
	if (index_entry(ix, 0, &e) < 0 || index_find(ix, &e, "dir", 3, &e) < 0 ||
	    index_find(ix, &e, name, strlen(name), &e) < 0 || e.size != files[i].len)
		return false;
	if (e.size == 0)
		return !e.digest;
	len = e.size;
	if (index_extent(ix, &e, 0, &len, &data) < 0 || len != e.size)
		return false;
	must(digest_of(DIGEST_SHA256, content.data + files[i].off, files[i].len, &d),
	     "digest");
	return e.digest && memcmp(e.digest, d.bytes, 32) == 0 &&
	       read_decoded(l, data, e.size, room) == 0 &&
	       memcmp(room, content.data + files[i].off, files[i].len) == 0;
}

/* Every file, from the last to the first if @back. */
static inline bool all_is_right(struct layer *l, bool back)
{
	char *room = malloc(3000000);
	unsigned i, right = 0;

	must(room ? 0 : -ENOMEM, "room");
	for (i = 0; i < N_FILES; i++) {
		unsigned at = back ? N_FILES - 1 - i : i;

		if (file_is_right(l, at, room))
			right++;
		else
			printf("# file %u is wrong\n", at);
	}
	free(room);
	return right == N_FILES;
}

/* Random parts of the archive, across spans. */
static inline bool parts_are_right(struct layer *l, unsigned seed, unsigned n)
{
	char room[10000];
	bool right = true;

	while (n-- > 0) {
		size_t len, off;

		seed = seed * 1103515245 + 12345;
		off = seed % (plain.len - sizeof(room));
		len = seed >> 8 & 8191;
		right = right && read_decoded(l, off, len, room) == 0 &&
			memcmp(room, plain.data + off, len) == 0;
	}
	return right;
}

/* The path of a layer's file in the store. */
static inline const char *stored(const char *store, const struct form *f,
				 const char *file)
{
	char name[300], hex[DIGEST_TEXT_MAX];

	snprintf(name, sizeof(name), "%s/layers/sha256/%s/%s", store,
		 digest_hex(&f->digest, hex), file);
	return place_path(name);
}

static inline void layers_init(void)
{
	place_make();
	make_archive();
	make_forms();
}

static inline void layers_release(void)
{
	int i;

	for (i = 0; i < N_FORMS; i++)
		buf_release(&forms[i].bytes);
	buf_release(&plain);
	buf_release(&content);
}

#endif
