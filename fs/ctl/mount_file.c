/* SPDX-License-Identifier: MIT */
/*
 * A child process reads the file: a process that waits for a daemon that was stopped can
 * only be killed.
 *
 * With layout=rootfs an image could have a file of that name, or a symlink to one elsewhere. The
 * node id tells (fs/tree/node.h): no file of an image is synthetic. A file handle, which any
 * user may ask for, begins with it. Linux has had it in handles since 2.6.39.
 */
#include "fs/ctl/mount_file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/unattached.h"
#include "fs/ctl/child.h"
#include "fs/image/status.h"
#include "fs/tree/node.h"

#define PIECE 65536

/* The type of a handle of FUSE without a parent: the node id as two words, and a generation. */
#define HANDLE_OF_FUSE 0x81

/* Of Linux 6.5: a handle that only identifies, where none to open the file by is given. */
#ifndef AT_HANDLE_FID
#define AT_HANDLE_FID AT_REMOVEDIR
#endif

union handle {
	struct file_handle head;
	char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
};

static int read_handle(int fd, union handle *out)
{
	static const int flags[] = {AT_EMPTY_PATH, AT_EMPTY_PATH | AT_HANDLE_FID};
	int mount, rc = -1;
	size_t i;

	for (i = 0; rc < 0 && i < sizeof(flags) / sizeof(flags[0]); i++) {
		out->head.handle_bytes = MAX_HANDLE_SZ;
		rc = name_to_handle_at(fd, "", &out->head, &mount, flags[i]);
	}
	return rc;
}

/* Is the file synthetic, and of the file system whose top is @mountpoint? */
static bool is_own(int fd, const char *mountpoint)
{
	union handle h = {.head.handle_bytes = 0};
	struct stat file, top;
	struct node node;
	uint32_t id[2];

	if (fstat(fd, &file) < 0 || stat(mountpoint, &top) < 0 ||
	    file.st_dev != top.st_dev)
		return false;
	if (read_handle(fd, &h) < 0) /* forbidden in this sandbox */
		return errno == EPERM || errno == ENOSYS;
	memcpy(id, h.head.f_handle, sizeof(id));
	node_unpack((uint64_t)id[0] << 32 | id[1], &node);
	return h.head.handle_type == HANDLE_OF_FUSE && node.kind == NODE_SYNTHETIC;
}

static void send_all(int pipe, const char *data, size_t len)
{
	ssize_t n;

	for (; len > 0; data += n, len -= (size_t)n) {
		n = write(pipe, data, len);
		if (n < 0)
			_exit(errno);
	}
}

/* Where the documents of a mount are: below an EROFS, elsewhere. */
static const char *find_top(const char *mountpoint, char path[UNATTACHED_PATH_MAX])
{
	struct stat st;

	if (stat(mountpoint, &st) < 0 || !unattached_find(st.st_dev, path))
		return mountpoint;
	if (stat(path, &st) < 0 && errno == ENOENT)
		_exit(ENOTCONN);
	return path;
}

/* Sends the file down the pipe. The exit status is an errno. Does not return. */
static void send_file(const char *mountpoint, const char *name, int pipe)
{
	int dir = open(mountpoint, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = dir < 0 ? -1 : openat(dir, name, O_RDONLY | O_CLOEXEC);
	char piece[PIECE];
	ssize_t n;

	if (fd < 0)
		_exit(errno);
	if (!is_own(fd, mountpoint))
		_exit(ENOENT);
	while ((n = read(fd, piece, sizeof(piece))) > 0)
		send_all(pipe, piece, (size_t)n);
	_exit(n < 0 ? errno : 0);
}

/* The same for the status. */
static void send_status(const char *mountpoint, int pipe)
{
	struct status_piece p = {.number = 0};
	int fd = open(mountpoint, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		_exit(errno);
	/* Of an image in a namespace, or of a peelfs without this call. */
	if (ioctl(fd, STATUS_IOCTL, &p) < 0)
		send_file(mountpoint, ".peelfs/status.json", pipe);
	while (p.len > 0 && p.len <= sizeof(p.data)) {
		send_all(pipe, p.data, p.len);
		p.off += p.len;
		if (ioctl(fd, STATUS_IOCTL, &p) < 0)
			_exit(errno);
	}
	_exit(0);
}

static void send_any(const char *mountpoint, const char *name, int pipe)
{
	char path[UNATTACHED_PATH_MAX];
	const char *top = find_top(mountpoint, path);

	if (name)
		send_file(top, name, pipe);
	send_status(top, pipe);
}

/* Appends what comes through the pipe until it is closed. */
static int receive_file(int pipe, int ms, struct buf *out)
{
	struct pollfd fd = {.fd = pipe, .events = POLLIN};
	int64_t left, until = clock_ms() + ms;
	ssize_t n = 1;
	void *room;
	int rc = 0;

	while (rc == 0 && n > 0) {
		left = until - clock_ms();
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

/* @name: NULL for the status. */
static int read_by_child(const char *mountpoint, const char *name, int ms,
			 struct buf *out)
{
	int fds[2], rc, status;
	pid_t child;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	child = child_fork();
	if (child == 0)
		send_any(mountpoint, name, fds[1]);
	close(fds[1]);
	rc = child < 0 ? -errno : receive_file(fds[0], ms, out);
	close(fds[0]);
	if (child < 0)
		return rc;
	if (rc < 0)
		child_kill(child);
	else if (waitpid(child, &status, 0) == child && WIFEXITED(status))
		rc = -WEXITSTATUS(status);
	return rc;
}

int mount_file_read(const char *mountpoint, const char *name, int ms, struct buf *text,
		    struct json **out)
{
	struct err e = {""};
	int rc = read_by_child(mountpoint, name, ms, text);

	return rc == 0 && out ? json_parse(buf_text(text), text->len, out, &e) : rc;
}

int mount_file_status(const char *mountpoint, int ms, struct buf *text, struct json **out)
{
	return mount_file_read(mountpoint, NULL, ms, text, out);
}

const char *mount_file_explain(int code)
{
	switch (-code) {
	case EACCES:
		return "another user mounted it, and only that user may read it";
	case ENOENT:
	case ENOTDIR:
		return "it is not a mount of peelfs";
	case ENOTCONN:
		return "its daemon has died; fusermount3 -u removes it";
	case ETIMEDOUT:
		return "its daemon does not answer and may be stopped";
	default:
		return strerror(-code);
	}
}
