/* SPDX-License-Identifier: MIT */
/*
 * Whole layers of each kind, with a store in a folder: reading returns the archive,
 * however the store was treated, and no byte is fetched needlessly.
 */
#include "tar/layer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "tests/unit/tar/layers.h"

/* A layer in a store, loaded again: read, counted, compared. */
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
	}
	layer_free(l);
	is_int(b.streams, streams, "streamed so often");
	ok(may_fetch || b.preads == 0, "and not fetched in part: %u", b.preads);
	is_int(b.source.refs, 0, "the blob is let go");
	store_close(s);
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
	must(unlink(stored("store", f, "partial")), "the blob was not needed again");
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

/* Loads in a child process, and reports how often it streamed. */
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

int main(void)
{
	int i;

	layers_init();
	/*
	 * First, while there is one thread to fork; tests/unit/oom counts in one
	 * process.
	 */
	if (!getenv("OOM_SITE"))
		test_processes();
	for (i = 0; i < N_FORMS; i++)
		test_form(&forms[i]);
	test_bad();
	test_empty();
	test_cancelled();
	test_private();
	layers_release();
	return test_done();
}
