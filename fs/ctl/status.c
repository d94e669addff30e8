/* SPDX-License-Identifier: MIT */
#include "fs/ctl/status.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/mountinfo.h"
#include "fs/ctl/mount_file.h"
#include "fs/image/status.h"

static int64_t get_number(const struct json *j, const char *key)
{
	int64_t n = 0;

	json_member_int(j, key, &n);
	return n;
}

static const char *get_text(const struct json *j, const char *key)
{
	const char *s = json_member_string(j, key);

	return s ? s : "";
}

/* Or the registry that is browsed. */
static const char *get_image(const struct json *j)
{
	return get_text(j, get_text(j, "image")[0] ? "image" : "namespace");
}

static double get_mib(const struct json *j, const char *key)
{
	return (double)get_number(j, key) / (1 << 20);
}

static void print_layer(size_t i, const struct json *l)
{
	const char *hex = strchr(get_text(l, "digest"), ':');

	printf("%5zu  %.12s  %-8s  %-12s %8.1f  %11.1f  %7" PRId64, i + 1,
	       hex ? hex + 1 : "", get_text(l, "state"), get_text(l, "from"),
	       get_mib(l, "size"), get_mib(l, "fetched"), get_number(l, "entries"));
	if (get_number(l, "skipped"))
		printf("  %" PRId64 " not shown", get_number(l, "skipped"));
	if (get_number(l, "errors"))
		printf("  %" PRId64 " errors", get_number(l, "errors"));
	printf("\n");
	if (get_text(l, "error")[0])
		printf("       %s\n", get_text(l, "error"));
}

static void print_image(const struct json *j)
{
	const struct json *layers = json_member(j, "layers");
	size_t i;

	printf("image     %s\nmanifest  %s\nplatform  %s\n", get_image(j),
	       get_text(j, "manifest"), get_text(j, "platform"));
	printf("\nlayer  digest        state     index        size/MiB  fetched/MiB  "
	       "entries\n");
	for (i = 0; i < json_count(layers); i++)
		print_layer(i, json_item(layers, i));
	printf("\n");
}

static void print_status(const struct json *j)
{
	const struct json *net = json_member(j, "network"),
			  *images = json_member(j, "images");

	if (json_member(j, "namespace"))
		printf("namespace %s\nimages    %" PRId64 " seen, %" PRId64 " loaded\n",
		       get_text(j, "namespace"), get_number(images, "seen"),
		       get_number(images, "loaded"));
	else
		print_image(j);
	printf("state     %s\nstore     %s\n", get_text(j, "state"),
	       get_text(j, "store")[0] ? get_text(j, "store") : "none");
	if (get_text(j, "storeWarning")[0])
		printf("          %s\n", get_text(j, "storeWarning"));
	printf("network   %" PRId64 " requests, %.1f MiB, %" PRId64 " errors, %" PRId64
	       " retries\nerrors    %" PRId64 "\n",
	       get_number(net, "requests"), get_mib(net, "bytes"),
	       get_number(net, "errors"), get_number(net, "retries"),
	       get_number(j, "errors"));
}

static int read_status(const char *mountpoint, struct buf *b, struct json **out)
{
	buf_init(b, STATUS_MAX);
	return mount_file_read(mountpoint, ".peelfs/status.json", b, out);
}

/* One mount in full. */
static int print_mount(const char *mountpoint, bool raw)
{
	struct json *j = NULL;
	struct buf b;
	int rc = read_status(mountpoint, &b, &j);

	if (rc < 0)
		fprintf(stderr, "peelctl: %s: %s\n", mountpoint,
			rc == -ENOENT && access(mountpoint, F_OK) < 0
				? strerror(-rc)
				: mount_file_explain(rc));
	else if (raw)
		fputs(buf_text(&b), stdout);
	else
		print_status(j);
	json_free(j);
	buf_release(&b);
	return rc < 0 ? 1 : 0;
}

/*
 * One line. A mount of another user that cannot be read is no failure, nor one without a
 * status; a mount that does not answer is.
 */
static int list_mount(void *arg, const struct mountinfo *m)
{
	struct json *j = NULL;
	int *status = arg, rc;
	struct buf b;

	if (strcmp(m->root, "/") != 0)
		return 0; /* a part of one, mounted elsewhere too */
	rc = read_status(m->mountpoint, &b, &j);
	if (rc < 0)
		printf("%s  %s  %s\n", m->mountpoint, m->source, mount_file_explain(rc));
	else
		printf("%s  %s  %s  %.1f MiB fetched, %" PRId64 " errors\n",
		       m->mountpoint, get_image(j)[0] ? get_image(j) : m->source,
		       get_text(j, "state"), get_mib(j, "fetchedBytes"),
		       get_number(j, "errors"));
	if (rc < 0 && rc != -EACCES && rc != -ENOENT)
		*status = 1;
	json_free(j);
	buf_release(&b);
	return 0;
}

static int run_status(char **words)
{
	bool raw = words[0] && strcmp(words[0], "--json") == 0;
	int status = 0;

	words += raw;
	if (words[0] && words[0][0] == '-')
		return ctl_usage("status: unknown option %s", words[0]);
	if (words[0] && words[1])
		return ctl_usage("status: %s: expected one mount point", words[1]);
	if (raw && !words[0])
		return ctl_usage("status: --json needs a mount point");
	if (words[0])
		return print_mount(words[0], raw);
	return mountinfo_each(list_mount, &status) < 0 ? 1 : status;
}

const struct ctl_command status_command = {
	"status",
	"status [[--json] MOUNTPOINT]",
	"  status    print the image, its layers and what was fetched; --json: print\n"
	"            MOUNTPOINT/.peelfs/status.json; without a mount point: list all mounts\n",
	run_status,
};
