/* SPDX-License-Identifier: MIT */
/* peelctl: asks a mount how it is. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "fs/status.h"

static const char help[] =
	"usage: peelctl status [--json] MOUNTPOINT\n"
	"\n"
	"  status    the image, its layers, what was fetched; --json: as it is in\n"
	"            MOUNTPOINT/.peelfs/status.json\n"
	"  -h        print this\n"
	"  -V        print the version\n";

static int read_status(const char *mountpoint, struct buf *out)
{
	char *path = NULL;
	void *room;
	ssize_t n = -1;
	int fd = -1;

	if (asprintf(&path, "%s/.peelfs/status.json", mountpoint) < 0)
		return -ENOMEM;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && buf_reserve(out, 65536, &room) == 0 && (n = read(fd, room, 65536)) > 0)
		buf_advance(out, (size_t)n);
	if (fd < 0 || n < 0)
		fprintf(stderr, "peelctl: cannot read %s: %s\n", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	free(path);
	return n < 0 ? -EIO : 0;
}

static int64_t number(const struct json *j, const char *key)
{
	int64_t n = 0;

	json_member_int(j, key, &n);
	return n;
}

static const char *text(const struct json *j, const char *key)
{
	const char *s = json_member_string(j, key);

	return s ? s : "";
}

static void print_layer(size_t i, const struct json *l)
{
	const char *hex = strchr(text(l, "digest"), ':');

	printf("%4zu  %.12s  %-8s %-8s %10.1f %10.1f %9" PRId64, i + 1, hex ? hex + 1 : "",
	       text(l, "state"), text(l, "from"), (double)number(l, "size") / (1 << 20),
	       (double)number(l, "fetched") / (1 << 20), number(l, "entries"));
	if (number(l, "skipped"))
		printf("  %" PRId64 " not shown", number(l, "skipped"));
	if (number(l, "errors"))
		printf("  %" PRId64 " errors", number(l, "errors"));
	printf("\n");
	if (text(l, "error")[0])
		printf("      %s\n", text(l, "error"));
}

static void print_status(const struct json *j)
{
	const struct json *layers = json_member(j, "layers"), *net = json_member(j, "network");
	size_t i;

	printf("image     %s\nmanifest  %s\nplatform  %s\nstate     %s\nstore     %s\n\n",
	       text(j, "image"), text(j, "manifest"), text(j, "platform"), text(j, "state"),
	       text(j, "store")[0] ? text(j, "store") : "none: nothing is kept");
	printf("layer  digest        state    from       size/MiB fetched/MiB  entries\n");
	for (i = 0; i < json_count(layers); i++)
		print_layer(i, json_item(layers, i));
	printf("\nnetwork   %" PRId64 " requests, %.1f MiB, %" PRId64 " errors, %" PRId64
	       " retries\nerrors    %" PRId64 "\n",
	       number(net, "requests"), (double)number(net, "bytes") / (1 << 20),
	       number(net, "errors"), number(net, "retries"), number(j, "errors"));
}

static int status(const char *mountpoint, int raw)
{
	struct json *j = NULL;
	struct err e;
	struct buf b;
	int r;

	buf_init(&b, STATUS_MAX);
	r = read_status(mountpoint, &b);
	if (r == 0 && raw) {
		fputs(buf_text(&b), stdout);
	} else if (r == 0) {
		r = json_parse(b.data, b.len, &j, &e);
		if (r < 0)
			fprintf(stderr, "peelctl: %s: %s\n", mountpoint, e.text);
		else
			print_status(j);
	}
	json_free(j);
	buf_release(&b);
	return r < 0 ? 1 : 0;
}

int main(int argc, char **argv)
{
	int raw = argc > 2 && strcmp(argv[2], "--json") == 0;

	if (argc == 2 && (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0)) {
		fputs(help, stdout);
		return 0;
	}
	if (argc == 2 && (strcmp(argv[1], "-V") == 0 || strcmp(argv[1], "--version") == 0)) {
		printf("peelctl %s\n", PEELFS_VERSION);
		return 0;
	}
	if (argc == 3 + raw && strcmp(argv[1], "status") == 0)
		return status(argv[2 + raw], raw);
	fputs(help, stderr);
	return 1;
}
