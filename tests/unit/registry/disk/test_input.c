/* SPDX-License-Identifier: MIT */
/* Archives from a file, from a pipe, and from a pipe that ends badly. */
#include "registry/disk/input.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <time.h>

#include "base/err.h"
#include "base/source.h"
#include "registry/image/archive_helper.h"
#include "tests/unit/place.h"
#include "tests/unit/test.h"

static char told[200];

static void tell(void *arg, const char *sentence)
{
	(void)arg;
	snprintf(told, sizeof(told), "%s", sentence);
}

static bool cancelled;
static uint64_t n_read;
static const struct archive_helper helper = {
	.tell = tell, .read = &n_read, .cancelled = &cancelled};

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	if (!f)
		exit(1);
	fputs(text, f);
	fclose(f);
}

static void set_age(const char *path, int seconds)
{
	struct timespec times[2] = {{.tv_sec = time(NULL) - seconds}, {0}};

	times[1] = times[0];
	if (utimensat(AT_FDCWD, path, times, 0) < 0)
		exit(1);
}

static void test_file(void)
{
	struct input in = {.identity = "x"};
	struct err e = {""};

	is_int(input_open(place_path("none"), &in, &e), -ENOENT, "%s", e.text);
	is_int(input_open(place, &in, &e), -EINVAL, "%s", e.text);
	if (mkfifo(place_path("fifo"), 0600) == 0)
		is_int(input_open(place_path("fifo"), &in, &e), -EINVAL, "a FIFO: %s",
		       e.text);
	write_file(place_path("file"), "text");
	set_age(place_path("file"), 100);
	is_int(input_open(place_path("file"), &in, &e), 0, "a file %s", e.text);
	is_int(in.source->size, 4, "has its size");
	is_text(in.identity, "", "its inode has just changed, so it is not recognised");
	source_unref(in.source);
	is_int(input_open("/bin/sh", &in, &e), 0, "an old file");
	ok(strlen(in.identity) > 20 && strlen(in.identity) < INPUT_IDENTITY_MAX - 1,
	   "has an identity: %s", in.identity);
	source_unref(in.source);
}

/* A process that writes @text to a pipe, after @ms. */
static int pipe_of(const char *text, size_t times, long ms)
{
	struct timespec wait = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
	int ends[2];

	if (pipe(ends) < 0)
		exit(1);
	if (fork() == 0) {
		close(ends[0]);
		nanosleep(&wait, NULL);
		while (times-- > 0)
			if (write(ends[1], text, strlen(text)) < 0)
				break;
		_exit(0);
	}
	close(ends[1]);
	return ends[0];
}

static void test_pipe(void)
{
	int fd = pipe_of("0123456789", 100000, 150);
	struct input in = {.source = NULL};
	struct err e = {""};
	char byte = 0;

	is_int(input_copy(fd, &helper, &in, &e), 0, "a pipe that is slow %s", e.text);
	ok(strstr(told, place), "the user learns where it goes: %s", told);
	is_int(in.source->size, 1000000, "all of it");
	is_int(n_read, 1000000, "counted");
	is_int(source_pread(in.source, &byte, 1, 999995, NULL), 1, "and any part");
	is_int(byte, '5', "is right");
	is_text(in.identity, "", "it cannot be recognised");
	source_unref(in.source);
	close(fd);
	fd = pipe_of("", 0, 0);
	is_int(input_copy(fd, &helper, &in, &e), -EBADMSG, "%s", e.text);
	close(fd);
	fd = open("/dev/null", O_RDONLY);
	is_int(input_copy(fd, NULL, &in, &e), -EBADMSG, "without a helper: %s", e.text);
	close(fd);
	fd = open(place, O_RDONLY);
	is_int(input_copy(fd, NULL, &in, &e), -EISDIR, "%s", e.text);
	close(fd);
}

static void test_redirected(void)
{
	int fd = open(place_path("file"), O_RDONLY);
	struct input in = {.source = NULL};
	struct err e = {""};
	char text[9] = "";

	told[0] = '\0';
	is_int(input_copy(fd, &helper, &in, &e), 0, "a file %s", e.text);
	is_text(told, "", "is not copied");
	is_int(in.source->size, 4, "all of it");
	source_unref(in.source);
	lseek(fd, 1, SEEK_SET);
	is_int(input_copy(fd, &helper, &in, &e), 0, "or the rest");
	is_int(source_pread(in.source, text, 8, 0, NULL), 3, "of it");
	is_text(text, "ext", "in place");
	source_unref(in.source);
	lseek(fd, 9, SEEK_SET);
	ok(input_copy(fd, &helper, &in, &e) < 0, "which may be nothing: %s", e.text);
	close(fd);
}

static void *cancel(void *arg)
{
	struct timespec wait = {.tv_nsec = 200000000};

	nanosleep(&wait, NULL);
	__atomic_store_n((bool *)arg, true, __ATOMIC_RELAXED);
	return NULL;
}

static void test_cancelled(void)
{
	struct input in = {.source = NULL};
	struct err e = {""};
	pthread_t thread;
	int ends[2];

	if (pipe(ends) < 0 || pthread_create(&thread, NULL, cancel, &cancelled) != 0)
		exit(1);
	is_int(input_copy(ends[0], &helper, &in, &e), -EINTR, "nothing comes: %s",
	       e.text);
	pthread_join(thread, NULL);
	close(ends[0]);
	close(ends[1]);
	cancelled = false;
}

static void test_full(void)
{
	struct input in = {.source = NULL};
	struct err e = {""};
	int fd;

	place_env("TMPDIR", place_path("missing"));
	fd = pipe_of("x", 1, 0);
	is_int(input_copy(fd, &helper, &in, &e), -ENOENT, "no such place: %s", e.text);
	close(fd);
	if (!place_small_disk(place_path("small"), "64k"))
		return;
	place_env("TMPDIR", place_path("small"));
	fd = pipe_of("0123456789", 100000, 0);
	is_int(input_copy(fd, &helper, &in, &e), -ENOSPC, "a full disk: %s", e.text);
	ok(strstr(e.text, "small"), "which is named");
	close(fd);
}

int main(void)
{
	place_make();
	place_env("TMPDIR", place);
	test_file();
	test_pipe();
	test_redirected();
	test_cancelled();
	test_full();
	return test_done();
}
