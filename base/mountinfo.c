/* SPDX-License-Identifier: MIT */
#include "base/mountinfo.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/unattached.h"

/* mountinfo writes blanks, newlines and backslashes in octal (proc(5)). */
static char *unescape(char *text)
{
	char *from = text, *to = text;

	for (; *from; from++) {
		if (from[0] == '\\' && strspn(from + 1, "01234567") >= 3) {
			*to++ = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 |
				       (from[3] - '0'));
			from += 3;
		} else {
			*to++ = *from;
		}
	}
	*to = '\0';
	return text;
}

static bool is_ours(const char *type, dev_t device)
{
	char path[UNATTACHED_PATH_MAX];

	return strcmp(type, "fuse.peelfs") == 0 ||
	       (strcmp(type, "erofs") == 0 && unattached_find(device, path));
}

/* "36 35 98:0 ROOT MOUNTPOINT rw,noatime master:1 - TYPE SOURCE rw"; false: not ours. */
static bool parse_mount(char *line, struct mountinfo *out)
{
	char *dash = strstr(line, " - "), *rest = line, *type;
	unsigned major, minor;

	if (!dash)
		return false;
	*dash = '\0';
	if (sscanf(line, "%*u %*u %u:%u ", &major, &minor) != 2)
		return false;
	strsep(&rest, " ");
	strsep(&rest, " ");
	strsep(&rest, " ");
	out->device = makedev(major, minor);
	out->root = rest ? unescape(strsep(&rest, " ")) : NULL;
	out->mountpoint = rest ? unescape(strsep(&rest, " ")) : NULL;
	rest = dash + 3;
	type = strsep(&rest, " ");
	out->source = rest ? unescape(strsep(&rest, " ")) : NULL;
	out->is_erofs = type && strcmp(type, "erofs") == 0;
	return type && is_ours(type, out->device) && out->root && out->mountpoint &&
	       out->source;
}

int mountinfo_each(int (*fn)(void *arg, const struct mountinfo *m), void *arg)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	struct mountinfo m;
	char *line = NULL;
	size_t room = 0;
	int rc = 0;

	if (!f)
		return -errno;
	while (rc >= 0 && getline(&line, &room, f) > 0) {
		if (parse_mount(line, &m))
			rc = fn(arg, &m);
	}
	free(line);
	fclose(f);
	return rc;
}
