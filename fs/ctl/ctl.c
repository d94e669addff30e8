/* SPDX-License-Identifier: MIT */
/*
 * A mount is asked by a process of its own: whoever waits for a daemon that was stopped
 * can be helped by nothing but SIGKILL.
 */
#include "fs/ctl/ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"

/* Much longer than a daemon on a busy machine takes for what it has in memory. */
#define ANSWER_MS 5000

#define PIECE 65536

int ctl_usage(const char *fmt, ...)
{
	va_list ap;

	fputs("peelctl: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputs("; see peelctl -h\n", stderr);
	return 1;
}

/* All of @path down the pipe; what went wrong is the exit status. Does not return. */
static void send_file(const char *path, int pipe)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char piece[PIECE];
	ssize_t n;

	if (fd < 0)
		_exit(errno);
	while ((n = read(fd, piece, sizeof(piece))) > 0) {
		if (write(pipe, piece, (size_t)n) != n)
			_exit(EIO);
	}
	_exit(n < 0 ? errno : 0);
}

static long left_of(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return ANSWER_MS - (now.tv_sec - start->tv_sec) * 1000 -
	       (now.tv_nsec - start->tv_nsec) / 1000000;
}

/* What comes down the pipe until it is closed. */
static int receive(int pipe, struct buf *out)
{
	struct pollfd fd = {.fd = pipe, .events = POLLIN};
	struct timespec start;
	ssize_t n = 1;
	long left;
	void *room;
	int rc = 0;

	clock_gettime(CLOCK_MONOTONIC, &start);
	while (rc == 0 && n > 0) {
		left = left_of(&start);
		n = poll(&fd, 1, left > 0 ? (int)left : 0);
		if (n == 0)
			return -ETIMEDOUT;
		if (n > 0)
			rc = buf_reserve(out, PIECE, &room);
		if (n > 0 && rc == 0)
			n = read(pipe, room, PIECE);
		if (n < 0)
			return -errno;
		if (rc == 0)
			buf_advance(out, (size_t)n);
	}
	return rc;
}

static int read_file(const char *path, struct buf *out)
{
	int fds[2], rc, status;
	pid_t child;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	fflush(NULL); /* what is not written yet is not the child's */
	child = fork();
	if (child == 0)
		send_file(path, fds[1]);
	close(fds[1]);
	rc = child < 0 ? -errno : receive(fds[0], out);
	close(fds[0]);
	if (child < 0)
		return rc;
	if (rc < 0)
		kill(child, SIGKILL);
	if (waitpid(child, &status, 0) == child && WIFEXITED(status) && rc == 0)
		rc = -WEXITSTATUS(status);
	return rc;
}

int ctl_read_json(const char *mountpoint, const char *name, struct buf *text,
		  struct json **out)
{
	struct err e = {""};
	char *path = NULL;
	int rc;

	if (asprintf(&path, "%s/%s", mountpoint, name) < 0)
		return -ENOMEM;
	rc = read_file(path, text);
	if (rc == 0 && out)
		rc = json_parse(buf_text(text), text->len, out, &e);
	free(path);
	return rc;
}

const char *ctl_unread(int code)
{
	switch (-code) {
	case EACCES:
		return "another user mounted it, who alone may look";
	case ENOENT:
	case ENOTDIR:
		return "it has no status: it is no mount, or one with layout=rootfs";
	case ENOTCONN:
		return "its daemon has died; fusermount3 -u takes it away";
	case ETIMEDOUT:
		return "its daemon does not answer: it may be stopped";
	default:
		return strerror(-code);
	}
}
