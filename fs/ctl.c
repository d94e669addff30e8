/* SPDX-License-Identifier: MIT */
#include "fs/ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"

static int read_file(const char *path, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), r = fd < 0 ? -errno : 0;
	ssize_t n = 1;
	void *room;

	while (r == 0 && n > 0) {
		r = buf_reserve(out, 65536, &room);
		if (r < 0)
			break;
		n = read(fd, room, 65536);
		if (n < 0)
			r = -errno;
		else
			buf_advance(out, (size_t)n);
	}
	if (fd >= 0)
		close(fd);
	return r;
}

int ctl_read_json(const char *mountpoint, const char *name, struct buf *text,
		  struct json **out)
{
	struct err e = {""};
	char *path = NULL;
	int r;

	if (asprintf(&path, "%s/%s", mountpoint, name) < 0)
		return -ENOMEM;
	r = read_file(path, text);
	if (r == 0 && out)
		r = json_parse(buf_text(text), text->len, out, &e);
	if (r < 0)
		fprintf(stderr, "peelctl: cannot read %s: %s\n", path,
			e.text[0] ? e.text : strerror(-r));
	free(path);
	return r;
}

/* mountinfo writes blanks, newlines and backslashes in octal (proc(5)). */
static void unescape(char *text)
{
	char *to = text;

	for (; *text; text++) {
		if (text[0] == '\\' && strspn(text + 1, "01234567") >= 3) {
			*to++ = (char)((text[1] - '0') << 6 | (text[2] - '0') << 3 |
				       (text[3] - '0'));
			text += 3;
		} else {
			*to++ = *text;
		}
	}
	*to = '\0';
}

/* "36 35 98:0 / MOUNTPOINT rw,noatime master:1 - TYPE SOURCE rw" */
static char *peelfs_mountpoint(char *line)
{
	char *dash = strstr(line, " - "), *mountpoint = line;
	unsigned field;

	if (!dash || strncmp(dash + 3, "fuse.peelfs ", 12) != 0)
		return NULL;
	for (field = 0; mountpoint && field < 4; field++) {
		mountpoint = strchr(mountpoint, ' ');
		if (mountpoint)
			mountpoint++;
	}
	if (!mountpoint)
		return NULL;
	mountpoint[strcspn(mountpoint, " ")] = '\0';
	unescape(mountpoint);
	return mountpoint;
}

int ctl_each_mount(int (*fn)(void *arg, const char *mountpoint), void *arg)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char *line = NULL, *mountpoint;
	size_t room = 0;
	int r = 0;

	if (!f)
		return -errno;
	while (r >= 0 && getline(&line, &room, f) > 0) {
		mountpoint = peelfs_mountpoint(line);
		if (mountpoint)
			r = fn(arg, mountpoint);
	}
	free(line);
	fclose(f);
	return r;
}
