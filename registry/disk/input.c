/* SPDX-License-Identifier: MIT */
#include "registry/disk/input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/source.h"
#include "base/store/files.h"
#include "registry/image/archive_helper.h"

#define CHUNK (256 * 1024)
/* How often *cancelled is looked at. */
#define CANCEL_MS 100
/* The steps in which file systems count time are shorter. */
#define SETTLED_SECONDS 3

/* A file that was changed just now may change again without a new time. */
static void identify(int fd, char *out)
{
	struct stat st;

	out[0] = '\0';
	if (fstat(fd, &st) < 0 || st.st_mtim.tv_sec > time(NULL) - SETTLED_SECONDS ||
	    st.st_ctim.tv_sec > time(NULL) - SETTLED_SECONDS)
		return;
	snprintf(out, INPUT_IDENTITY_MAX, "%llx:%llu %llu %lld.%09ld %lld.%09ld",
		 (unsigned long long)st.st_dev, (unsigned long long)st.st_ino,
		 (unsigned long long)st.st_size, (long long)st.st_mtim.tv_sec,
		 st.st_mtim.tv_nsec, (long long)st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
}

/* Takes @fd. */
static int input_of_file(int fd, const char *name, struct input *out, struct err *e)
{
	struct input in = {.source = NULL};
	int rc;

	identify(fd, in.identity);
	rc = source_file(fd, &in.source, e);
	if (rc < 0)
		return err_prefix(e, rc, "%s", name);
	*out = in;
	return 0;
}

int input_open(const char *path, struct input *out, struct err *e)
{
	/* O_NONBLOCK: a FIFO must not block the mount. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return err_set(e, -errno, "%s: %s", path, strerror(errno));
	return input_of_file(fd, path, out, e);
}

/* Standard input that is a file; others may have read its beginning. */
static int input_of_rest(int fd, struct input *out, struct err *e)
{
	off_t at = lseek(fd, 0, SEEK_CUR);
	struct source *whole;
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 0), rc;

	if (own < 0)
		return err_set(e, -errno, "%s", strerror(errno));
	rc = input_of_file(own, "the file", out, e);
	if (rc < 0 || at <= 0)
		return rc;
	whole = out->source;
	out->identity[0] = '\0';
	rc = source_slice(whole, (uint64_t)at, whole->size - (uint64_t)at, &out->source);
	source_unref(whole);
	return rc < 0 ? err_set(e, rc, "it was read to its end before") : 0;
}

/* Waits until @fd can be read. */
static int wait_for_input(int fd, const bool *cancelled, struct err *e)
{
	struct pollfd at = {.fd = fd, .events = POLLIN};
	int n;

	do {
		if (cancelled && __atomic_load_n(cancelled, __ATOMIC_RELAXED))
			return err_set(e, -EINTR, "interrupted");
		n = poll(&at, 1, CANCEL_MS);
	} while (n == 0 || (n < 0 && errno == EINTR));
	return n < 0 ? err_set(e, -errno, "%s", strerror(errno)) : 0;
}

static int copy_all(int from, int to, void *chunk, const struct archive_helper *h,
		    struct err *e)
{
	uint64_t size = 0;
	ssize_t n;
	int rc;

	for (;;) {
		rc = wait_for_input(from, h ? h->cancelled : NULL, e);
		if (rc < 0)
			return rc;
		n = read(from, chunk, CHUNK);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return err_set(e, -errno, "%s", strerror(errno));
		if (n == 0)
			return size ? 0 : err_set(e, -EBADMSG, "it is empty");
		rc = fd_write_all(to, chunk, (size_t)n, size);
		if (rc < 0)
			return err_set(e, rc,
				       "cannot copy it to an unnamed file in %s: %s",
				       files_temporary_dir(), strerror(-rc));
		size += (uint64_t)n;
		if (h)
			__atomic_fetch_add(h->read, (uint64_t)n, __ATOMIC_RELAXED);
	}
}

static int copy_to_file(int fd, const struct archive_helper *h, struct input *out,
			struct err *e)
{
	char sentence[ERR_TEXT_MAX];
	void *chunk = malloc(CHUNK);
	int to = files_new_temporary(), rc;

	if (!chunk || to < 0) {
		rc = chunk ? to : -ENOMEM;
		err_set(e, rc, "cannot create an unnamed file in %s: %s",
			files_temporary_dir(), strerror(-rc));
		goto out;
	}
	snprintf(sentence, sizeof(sentence),
		 "standard input is copied to an unnamed file in %s",
		 files_temporary_dir());
	if (h)
		h->tell(h->arg, sentence);
	rc = copy_all(fd, to, chunk, h, e);
	if (rc == 0) {
		rc = input_of_file(to, "the unnamed file", out, e);
		to = -1;
		out->identity[0] = '\0';
	}
out:
	if (to >= 0)
		close(to);
	free(chunk);
	return rc;
}

int input_copy(int fd, const struct archive_helper *h, struct input *out, struct err *e)
{
	struct stat st;
	int rc;

	if (fstat(fd, &st) < 0)
		rc = err_set(e, -errno, "%s", strerror(errno));
	else if (isatty(fd))
		rc = err_set(e, -EBADMSG, "a terminal, and not an archive");
	else if (S_ISREG(st.st_mode))
		rc = input_of_rest(fd, out, e);
	else
		rc = copy_to_file(fd, h, out, e);
	return rc < 0 ? err_prefix(e, rc, "standard input") : 0;
}
