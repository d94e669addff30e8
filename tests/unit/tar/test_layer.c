/* SPDX-License-Identifier: MIT */
/*
 * Whole layers of each kind, with a store in a folder: what is read is what the archive
 * has, however the store was treated, and no byte is fetched in vain.
 */
#include "tar/layer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/source.h"
#include "base/store/store.h"
#include "tests/unit/tarball.h"
#include "tests/unit/makers.h"
#include "tests/unit/place.h"
#include "tests/unit/test.h"

#define N_FILES 24

static struct buf plain;   /* the archive */
static struct buf content; /* of all files, one behind the other */

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

static void must(int rc, const char *what)
{
	if (rc >= 0)
		return;
	printf("Bail out! %s: %s\n", what, strerror(-rc));
	exit(1);
}

/* Text, noise and zeros; the last file is zeros to the end of the archive. */
static void make_archive(void)
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

static void make_forms(void)
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

/* A blob that counts, and does what it is told. */
struct blob {
	struct source source;
	const char *bytes;
	unsigned preads, streams; /* atomic */
	unsigned fail;		  /* preads to fail, atomic */
	bool *cancel;		  /* set in the middle of a stream */
	unsigned slow_us;	  /* before each piece of a stream */
	unsigned *stall;	  /* a stream says here that it goes no further */
	bool held;		  /* preads wait, under the mutex */
	unsigned waiting;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
};

struct blob_stream {
	struct stream stream;
	struct blob *blob;
	uint64_t off;
};

static ssize_t blob_pread(struct source *s, void *buf, size_t len, uint64_t off,
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

static ssize_t blob_next(struct stream *st, const void **data, struct err *e)
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
	*data = bs->blob->bytes + bs->off;
	bs->off += n;
	return (ssize_t)n;
}

static void blob_close(struct stream *st)
{
	source_unref(&((struct blob_stream *)st)->blob->source);
	free(st);
}

static int blob_stream(struct source *s, uint64_t off, struct stream **out, struct err *e)
{
	static const struct stream_ops ops = {.next = blob_next, .close = blob_close};
	struct blob_stream *bs = calloc(1, sizeof(*bs));

	(void)e;
	if (!bs)
		return -ENOMEM;
	__atomic_fetch_add(&((struct blob *)s)->streams, 1, __ATOMIC_RELAXED);
	*bs = (struct blob_stream){{&ops}, (struct blob *)source_ref(s), off};
	*out = &bs->stream;
	return 0;
}

static void blob_release(struct source *s)
{
	(void)s; /* a test's own: looked at when the layer is gone */
}

static void blob_init(struct blob *b, const void *bytes, size_t size)
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

static void blob_hold(struct blob *b, bool held)
{
	pthread_mutex_lock(&b->mutex);
	b->held = held;
	pthread_cond_broadcast(&b->changed);
	pthread_mutex_unlock(&b->mutex);
}

static void blob_wait_for_reader(struct blob *b)
{
	pthread_mutex_lock(&b->mutex);
	while (b->waiting == 0)
		pthread_cond_wait(&b->changed, &b->mutex);
	pthread_mutex_unlock(&b->mutex);
}

/* What is open, for a leak checker to find when a failed check ends the test early. */
static struct store *volatile last_store;
static struct layer *volatile last_layer;

/* A layer of form @f; loaded, or the reason why not. */
static int load_form(struct store *s, const struct form *f, struct blob *b,
		     struct layer **out, struct err *e)
{
	blob_init(b, f->bytes.data, f->bytes.len);
	must(layer_new(s, &f->digest, &b->source, out), "a layer");
	last_layer = *out;
	return layer_load(*out, NULL, e);
}

static struct store *open_store(const char *name)
{
	struct store *s = NULL;

	must(store_open(place_path(name), &s, NULL), "a store");
	last_store = s;
	return s;
}

/* Reading */

/* Decoded bytes as a reader of the mount gets them. 0, or what failed. */
static int read_decoded(struct layer *l, uint64_t off, size_t len, char *out)
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

static bool file_is_right(struct layer *l, unsigned i, char *room)
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
static bool all_is_right(struct layer *l, bool back)
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

/* Any part of the archive, across spans. */
static bool parts_are_right(struct layer *l, unsigned seed, unsigned n)
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

/* A layer in a store, loaded anew: read, counted, compared. */
static void check(const char *store, const struct form *f, unsigned streams,
		  bool may_fetch, const char *what)
{
	struct store *s = open_store(store);
	struct layer_progress p;
	struct err e = {""};
	struct layer *l;
	struct blob b;

	if (ok(load_form(s, f, &b, &l, &e) == 0, "%s: %s %s", f->name, what, e.text)) {
		ok(all_is_right(l, streams == 0), "%s: every file is right", f->name);
		ok(parts_are_right(l, 7, 50), "and every part");
		layer_progress(l, &p);
		ok(p.state == LAYER_READY && p.was_stored == (streams == 0), "its state");
		ok(p.decoded == plain.len && p.entries == N_FILES + 2 &&
			   p.blob_done == f->bytes.len,
		   "its progress");
		ok((p.spans_read == 0) == (b.preads == 0) &&
			   (p.fetched == 0) == (streams + b.preads == 0),
		   "its counters");
		is_text(layer_error(l), "", "no error");
	}
	layer_free(l);
	is_int(b.streams, streams, "streamed so often");
	ok(may_fetch || b.preads == 0, "and not fetched in part: %u", b.preads);
	is_int(b.source.refs, 0, "the blob is let go");
	store_close(s);
}

/* A file of the layer's in the store. */
static const char *stored(const char *store, const struct form *f, const char *file)
{
	char name[300], hex[DIGEST_TEXT_MAX];

	snprintf(name, sizeof(name), "%s/layers/sha256/%s/%s", store,
		 digest_hex(&f->digest, hex), file);
	return place_path(name);
}

static void flip_stored(const char *path, off_t step)
{
	int fd = open(path, O_RDWR);
	struct stat st;
	unsigned char c;
	off_t at;

	must(fd < 0 || fstat(fd, &st) < 0 ? -errno : 0, path);
	for (at = step / 2; at < st.st_size; at += step) {
		if (pread(fd, &c, 1, at) == 1) {
			c ^= 0x10;
			must(pwrite(fd, &c, 1, at) == 1 ? 0 : -errno, "a flip");
		}
	}
	close(fd);
}

static void fill_stored(const char *path, unsigned char byte)
{
	int fd = open(path, O_RDWR);
	off_t size = lseek(fd, 0, SEEK_END), at;

	for (at = 0; at < size; at++)
		must(pwrite(fd, &byte, 1, at) == 1 ? 0 : -errno, "a fill");
	close(fd);
}

static void punch_stored(const char *path)
{
	int fd = open(path, O_RDWR);

	must(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1000, 3000000) < 0
		     ? -errno
		     : 0,
	     "a hole");
	close(fd);
}

static void test_form(const struct form *f)
{
	check("store", f, 1, false, "loaded");
	check("store", f, 0, false, "again, from the store");

	must(unlink(stored("store", f, "data")), "unlink");
	check("store", f, 0, true, "its data is gone");
	check("store", f, 0, false, "and is there again");
	punch_stored(stored("store", f, "data"));
	check("store", f, 0, true, "its data has a hole");
	check("store", f, 0, false, "mended");
	flip_stored(stored("store", f, "data"), 100000);
	check("store", f, 0, true, "its data is damaged");
	check("store", f, 0, false, "mended too");
	must(truncate(stored("store", f, "data"), 1234567), "truncate");
	check("store", f, 0, true, "its data is cut");
	check("store", f, 0, false, "mended as well");
	must(unlink(stored("store", f, "spans")), "unlink");
	check("store", f, 0, true, "its rows are gone");
	fill_stored(stored("store", f, "spans"), 0xff);
	flip_stored(stored("store", f, "data"), 100000);
	check("store", f, 0, true, "its rows lie");
	must(truncate(stored("store", f, "spans"), 5), "truncate");
	check("store", f, 0, true, "its rows are cut");

	must(unlink(stored("store", f, "spans")), "unlink");
	must(mkdir(stored("store", f, "spans"), 0700), "mkdir");
	check("store", f, 0, true, "its rows cannot be");
	must(unlink(stored("store", f, "index")), "unlink");
	check("store", f, 1, false, "nor when it is new");
	must(rmdir(stored("store", f, "spans")), "rmdir");

	flip_stored(stored("store", f, "index"), 3000);
	check("store", f, 1, false, "its index is damaged: made anew");
	check("store", f, 0, false, "once");
	must(truncate(stored("store", f, "index"), 4096), "truncate");
	check("store", f, 1, false, "its index is cut");
	must(truncate(stored("store", f, "index"), 0), "truncate");
	check("store", f, 1, false, "its index is empty");
	must(unlink(stored("store", f, "index")), "unlink");
	must(mkdir(stored("store", f, "index"), 0700), "mkdir");
	check("store", f, 1, false, "its index cannot be");
	check("store", f, 1, false, "nor is kept");
}

/* Bad layers */

static void check_bad(const struct form *f, int want, const char *words, const char *what)
{
	struct store *s = open_store("bad");
	struct err e = {""};
	struct layer *l;
	struct blob b;

	is_int(load_form(s, f, &b, &l, &e), want, "%s: %s", what, e.text);
	ok(strncmp(e.text, "layer sha256:", 13) == 0 && strstr(e.text, words),
	   "in words");
	is_text(layer_error(l), e.text, "which are kept");
	ok(!layer_index(l), "no index");
	layer_free(l);
	is_int(b.source.refs, 0, "the blob is let go");
	ok(access(stored("bad", f, "index"), F_OK) < 0 &&
		   access(stored("bad", f, "data"), F_OK) < 0,
	   "and nothing is in the store");
	store_close(s);
}

static void test_bad(void)
{
	struct form bad = forms[GZIP];
	size_t at = bad.bytes.len / 2, len = bad.bytes.len;
	int i;

	bad.digest.bytes[5] ^= 1;
	check_bad(&bad, -EBADMSG, "digest", "another digest than it should");
	bad = forms[GZIP];
	bad.bytes.data[at] ^= 0x40;
	check_bad(&bad, -EBADMSG, "digest", "a byte went wrong on the way");
	must(digest_of(DIGEST_SHA256, bad.bytes.data, len, &bad.digest), "a digest");
	check_bad(&bad, -EBADMSG, "", "a byte was wrong from the start");
	bad.bytes.data[at] ^= 0x40;

	for (i = 0; i < N_FORMS; i++) {
		bad = forms[i];
		bad.bytes.len = bad.bytes.len * 2 / 3 + 1;
		check_bad(&bad, -EBADMSG, "digest", "cut on the way");
		must(digest_of(DIGEST_SHA256, bad.bytes.data, bad.bytes.len, &bad.digest),
		     "a digest");
		check_bad(&bad, -EBADMSG, "", "cut from the start");
	}
	archive_init(&bad.bytes);
	make_plain(&bad.bytes, 100000);
	bad.bytes.data[0] = 'x';
	must(digest_of(DIGEST_SHA256, bad.bytes.data, bad.bytes.len, &bad.digest),
	     "a digest");
	check_bad(&bad, -EBADMSG, "", "no archive at all");
	buf_release(&bad.bytes);
}

static void test_empty(void)
{
	struct form empty = {.name = "empty"};
	struct store *s = open_store("empty");
	struct layer_data d;
	struct err e = {""};
	struct layer *l;
	struct blob b;
	size_t n = 10;

	archive_init(&empty.bytes);
	must(digest_of(DIGEST_SHA256, "", 0, &empty.digest), "a digest");
	is_int(load_form(s, &empty, &b, &l, &e), 0, "no bytes are an empty layer %s",
	       e.text);
	ok(layer_index(l) && index_info(layer_index(l))->n_entries == 1, "with a root");
	is_int(layer_get(l, 0, &n, NULL, &d, &e), -EBADMSG, "and nothing to read: %s",
	       e.text);
	layer_free(l);
	is_int(load_form(s, &empty, &b, &l, &e), 0, "again");
	layer_free(l);
	layer_free(NULL);
	archive_end(&empty.bytes);
	must(digest_of(DIGEST_SHA256, empty.bytes.data, empty.bytes.len, &empty.digest),
	     "");
	is_int(load_form(s, &empty, &b, &l, &e), 0, "so is an end alone %s", e.text);
	n = 5000;
	ok(layer_get(l, 24, &n, NULL, &d, &e) == 0 && n == 1000,
	   "whose zeros can be read");
	layer_unget(l, &d);
	layer_free(l);
	store_close(s);
	buf_release(&empty.bytes);
}

/* Interruptions and failures */

static void test_cancelled(void)
{
	struct store *s = open_store("cancelled");
	struct form *f = &forms[GZIP];
	bool cancelled = true;
	struct err e = {""};
	struct layer *l;
	struct blob b;

	blob_init(&b, f->bytes.data, f->bytes.len);
	must(layer_new(s, &f->digest, &b.source, &l), "a layer");
	is_int(layer_load(l, &cancelled, &e), -EINTR, "called off before: %s", e.text);
	layer_free(l);
	cancelled = false;
	blob_init(&b, f->bytes.data, f->bytes.len);
	b.cancel = &cancelled;
	must(layer_new(s, &f->digest, &b.source, &l), "a layer");
	is_int(layer_load(l, &cancelled, &e), -EINTR, "called off in the middle: %s",
	       e.text);
	layer_free(l);
	is_int(b.source.refs, 0, "the blob is let go");
	ok(access(stored("cancelled", f, "index"), F_OK) < 0, "nothing is in the store");
	blob_init(&b, f->bytes.data, f->bytes.len);
	b.fail = 1;
	must(layer_new(s, &f->digest, &b.source, &l), "a layer");
	is_int(layer_load(l, NULL, &e), -EIO, "the host goes away: %s", e.text);
	ok(strstr(e.text, "the host is gone"), "and that is what is said");
	layer_free(l);
	store_close(s);
	check("cancelled", f, 1, false, "after all that");
}

/* Loaded, with all of its data gone: each span has to be fetched. */
static struct layer *without_data(const char *store, struct store *s,
				  const struct form *f, struct blob *b)
{
	struct layer *l;

	must(load_form(s, f, b, &l, NULL), "loading");
	layer_free(l);
	must(unlink(stored(store, f, "data")), "unlink");
	must(load_form(s, f, b, &l, NULL), "loading again");
	return l;
}

struct get {
	struct layer *layer;
	bool cancelled;
	int rc;
};

static void *get_main(void *arg)
{
	struct get *g = arg;
	struct layer_data d;
	size_t n = 100;

	g->rc = layer_get(g->layer, 2000000, &n, &g->cancelled, &d, NULL);
	if (g->rc == 0)
		layer_unget(g->layer, &d);
	return NULL;
}

static void test_waiting(void)
{
	struct store *s = open_store("waiting");
	struct form *f = &forms[GZIP];
	struct get one = {NULL, false, 1}, two = {NULL, false, 1};
	pthread_t threads[2];
	struct layer *l;
	struct err e = {""};
	struct blob b;
	char room[100];
	unsigned preads;

	l = one.layer = two.layer = without_data("waiting", s, f, &b);
	blob_hold(&b, true);
	pthread_create(&threads[0], NULL, get_main, &one);
	blob_wait_for_reader(&b);
	pthread_create(&threads[1], NULL, get_main, &two);
	__atomic_store_n(&one.cancelled, true, __ATOMIC_RELAXED);
	layer_wake(l);
	pthread_join(threads[0], NULL);
	is_int(one.rc, -EINTR, "one waiter goes away");
	preads = __atomic_load_n(&b.preads, __ATOMIC_RELAXED);
	is_int(preads, 1, "one request is under way, for both");
	blob_hold(&b, false);
	pthread_join(threads[1], NULL);
	is_int(two.rc, 0, "the other has it");
	preads = __atomic_load_n(&b.preads, __ATOMIC_RELAXED);
	ok(read_decoded(l, 2000000, 100, room) == 0 &&
		   memcmp(room, plain.data + 2000000, 100) == 0 &&
		   __atomic_load_n(&b.preads, __ATOMIC_RELAXED) == preads,
	   "and it stays");

	blob_hold(&b, true);
	one.cancelled = false;
	pthread_create(&threads[0], NULL, get_main, &one);
	pthread_join(threads[0], NULL);
	is_int(one.rc, 0, "what is there is read while the host is silent");
	blob_hold(&b, false);
	layer_free(l);

	l = without_data("waiting", s, f, &b);
	__atomic_store_n(&b.fail, 1000, __ATOMIC_RELAXED);
	{
		struct layer_data d;
		size_t n = 100;

		is_int(layer_get(l, 100, &n, NULL, &d, &e), -EIO, "the host is gone: %s",
		       e.text);
		ok(strstr(e.text, "layer sha256:") && strstr(e.text, "the host is gone"),
		   "which is said");
	}
	__atomic_store_n(&b.fail, 0, __ATOMIC_RELAXED);
	ok(all_is_right(l, false), "and when it is back, all is read");
	layer_free(l);
	store_close(s);
}

static void *read_main(void *arg)
{
	struct layer *l = arg;

	return parts_are_right(l, (unsigned)(uintptr_t)&l >> 4, 60) ? arg : NULL;
}

static void test_threads(void)
{
	struct store *s = open_store("threads");
	pthread_t threads[4];
	struct layer *l;
	struct blob b;
	void *right;
	int i, form;

	for (form = 0; form < N_FORMS; form++) {
		unsigned n_right = 0;

		l = without_data("threads", s, &forms[form], &b);
		for (i = 0; i < 4; i++)
			pthread_create(&threads[i], NULL, read_main, l);
		for (i = 0; i < 4; i++) {
			pthread_join(threads[i], &right);
			n_right += right != NULL;
		}
		is_int(n_right, 4, "%s: four readers at once", forms[form].name);
		layer_free(l);
	}
	store_close(s);
}

/* Stores */

static void test_private(void)
{
	struct store *s = NULL;
	struct layer *l;
	struct blob b;
	int i, again;

	place_env("TMPDIR", place);
	must(store_open_private(&s, NULL), "a private store");
	for (i = 0; i < N_FORMS; i++) {
		for (again = 0; again < 2; again++) {
			is_int(load_form(s, &forms[i], &b, &l, NULL), 0, "%s: private",
			       forms[i].name);
			ok(all_is_right(l, true), "every file is right");
			layer_free(l);
			ok(b.streams == 1 && b.preads == 0, "by one pass, each time");
		}
	}
	place_env("TMPDIR", NULL);
	place_env("TMPDIR", "/proc/nowhere");
	is_int(load_form(s, &forms[GZIP], &b, &l, NULL), 0, "with no disk at all");
	ok(all_is_right(l, false) && all_is_right(l, true), "every file is right");
	ok(b.preads > 0, "fetched again: %u times", b.preads);
	layer_free(l);
	place_env("TMPDIR", NULL);
	store_close(s);
}

static void test_limit(void)
{
	struct store *s = open_store("limit");
	struct layer *l;
	struct blob b;
	int i;

	store_set_limit(s, 1 << 20);
	for (i = 0; i < N_FORMS; i++) {
		is_int(load_form(s, &forms[i], &b, &l, NULL), 0, "%s: a store of 1 MiB",
		       forms[i].name);
		ok(all_is_right(l, false) && all_is_right(l, true),
		   "every file is right");
		layer_free(l);
	}
	store_close(s);
}

/* Loads in a child, and leaves how often it streamed. */
static pid_t load_elsewhere(const struct form *f, unsigned *streams, unsigned *right,
			    unsigned *stall)
{
	pid_t pid = fork();

	if (pid == 0) {
		struct store *s = open_store("processes");
		struct layer *l;
		struct blob b;

		blob_init(&b, f->bytes.data, f->bytes.len);
		b.slow_us = 3000;
		b.stall = stall;
		if (layer_new(s, &f->digest, &b.source, &l) == 0 &&
		    layer_load(l, NULL, NULL) == 0) {
			__atomic_fetch_add(streams, b.streams, __ATOMIC_RELAXED);
			if (all_is_right(l, false) && b.preads == 0)
				__atomic_fetch_add(right, 1, __ATOMIC_RELAXED);
		}
		_exit(0);
	}
	return pid;
}

static void test_processes(void)
{
	unsigned *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pids[3], killed;
	struct timespec moment = {.tv_nsec = 60000000};
	int i;

	must(shared == MAP_FAILED ? -ENOMEM : 0, "shared memory");
	for (i = 0; i < 3; i++)
		pids[i] = load_elsewhere(&forms[GZIP], &shared[0], &shared[1], NULL);
	for (i = 0; i < 3; i++)
		waitpid(pids[i], NULL, 0);
	is_int(shared[0], 1, "three processes stream a layer once");
	is_int(shared[1], 3, "and all read it");

	killed = load_elsewhere(&forms[ZSTD], &shared[2], &shared[3], &shared[4]);
	while (!__atomic_load_n(&shared[4], __ATOMIC_ACQUIRE))
		nanosleep(&moment, NULL);
	pids[0] = load_elsewhere(&forms[ZSTD], &shared[2], &shared[3], NULL);
	nanosleep(&moment, NULL);
	kill(killed, SIGKILL);
	waitpid(killed, NULL, 0);
	waitpid(pids[0], NULL, 0);
	is_int(shared[2], 1, "one is killed, the next one goes on");
	is_int(shared[3], 1, "and reads all");
	munmap(shared, 4096);
}

static void test_full_disk(void)
{
	static const char *const sizes[] = {"64k", "300k", "1m", "3m"};
	struct store *s;
	struct layer *l;
	struct blob b;
	char name[32];
	unsigned i, form, again;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		snprintf(name, sizeof(name), "disk%u", i);
		if (!place_small_disk(place_path(name), sizes[i])) {
			ok(true, "full disk # SKIP may not mount");
			return;
		}
		snprintf(name, sizeof(name), "disk%u/store", i);
		for (form = 0; form < 2 * N_FORMS; form++) {
			s = open_store(name);
			again = form % 2;
			is_int(load_form(s, &forms[form / 2], &b, &l, NULL), 0,
			       "%s: %s disk, %s", forms[form / 2].name, sizes[i],
			       again ? "again" : "first");
			ok(all_is_right(l, true) && all_is_right(l, false),
			   "every file is right");
			layer_free(l);
			store_close(s);
		}
	}
}

int main(void)
{
	int i;

	place_make();
	make_archive();
	make_forms();
	/* First, while there is one thread to fork; tests/unit/oom counts in one process. */
	if (!getenv("OOM_SITE"))
		test_processes();
	for (i = 0; i < N_FORMS; i++)
		test_form(&forms[i]);
	test_bad();
	test_empty();
	test_cancelled();
	test_waiting();
	test_threads();
	test_private();
	test_limit();
	test_full_disk();
	for (i = 0; i < N_FORMS; i++)
		buf_release(&forms[i].bytes);
	buf_release(&plain);
	buf_release(&content);
	return test_done();
}
