/* SPDX-License-Identifier: MIT */
/* peelctl status: one mount in full, or all of them, a line each. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/mountinfo.h"
#include "fs/ctl/ctl.h"
#include "fs/image/status.h"

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

/* Or what is browsed. */
static const char *image_of(const struct json *j)
{
	return text(j, text(j, "image")[0] ? "image" : "namespace");
}

static double mib(const struct json *j, const char *key)
{
	return (double)number(j, key) / (1 << 20);
}

static void print_layer(size_t i, const struct json *l)
{
	const char *hex = strchr(text(l, "digest"), ':');

	printf("%5zu  %.12s  %-8s  %-12s %8.1f  %11.1f  %7" PRId64, i + 1,
	       hex ? hex + 1 : "", text(l, "state"), text(l, "from"), mib(l, "size"),
	       mib(l, "fetched"), number(l, "entries"));
	if (number(l, "skipped"))
		printf("  %" PRId64 " not shown", number(l, "skipped"));
	if (number(l, "errors"))
		printf("  %" PRId64 " errors", number(l, "errors"));
	printf("\n");
	if (text(l, "error")[0])
		printf("       %s\n", text(l, "error"));
}

static void print_image(const struct json *j)
{
	const struct json *layers = json_member(j, "layers");
	size_t i;

	printf("image     %s\nmanifest  %s\nplatform  %s\n", image_of(j),
	       text(j, "manifest"), text(j, "platform"));
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
		       text(j, "namespace"), number(images, "seen"),
		       number(images, "loaded"));
	else
		print_image(j);
	printf("state     %s\nstore     %s\n", text(j, "state"),
	       text(j, "store")[0] ? text(j, "store") : "none: nothing is kept");
	if (text(j, "storeWarning")[0])
		printf("          %s\n", text(j, "storeWarning"));
	printf("network   %" PRId64 " requests, %.1f MiB, %" PRId64 " errors, %" PRId64
	       " retries\nerrors    %" PRId64 "\n",
	       number(net, "requests"), mib(net, "bytes"), number(net, "errors"),
	       number(net, "retries"), number(j, "errors"));
}

static int read_status(const char *mountpoint, struct buf *b, struct json **out)
{
	buf_init(b, STATUS_MAX);
	return ctl_read_json(mountpoint, ".peelfs/status.json", b, out);
}

/* One mount in full. */
static int show(const char *mountpoint, bool raw)
{
	struct json *j = NULL;
	struct buf b;
	int rc = read_status(mountpoint, &b, &j);

	if (rc < 0)
		fprintf(stderr, "peelctl: %s: %s\n", mountpoint,
			rc == -ENOENT && access(mountpoint, F_OK) < 0 ? strerror(-rc)
								      : ctl_unread(rc));
	else if (raw)
		fputs(buf_text(&b), stdout);
	else
		print_status(j);
	json_free(j);
	buf_release(&b);
	return rc < 0 ? 1 : 0;
}

/*
 * One line. That somebody else's mount cannot be read is no failure, nor that a mount
 * has no status; that it does not answer is.
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
		printf("%s  %s  %s\n", m->mountpoint, m->source, ctl_unread(rc));
	else
		printf("%s  %s  %s  %.1f MiB fetched, %" PRId64 " errors\n",
		       m->mountpoint, image_of(j)[0] ? image_of(j) : m->source,
		       text(j, "state"), mib(j, "fetchedBytes"), number(j, "errors"));
	if (rc < 0 && rc != -EACCES && rc != -ENOENT)
		*status = 1;
	json_free(j);
	buf_release(&b);
	return 0;
}

int ctl_status(char **words)
{
	bool raw = words[0] && strcmp(words[0], "--json") == 0;
	int status = 0;

	words += raw;
	if (words[0] && words[0][0] == '-')
		return ctl_usage("status: unknown option %s", words[0]);
	if (words[0] && words[1])
		return ctl_usage("status: %s: one mount point at a time", words[1]);
	if (raw && !words[0])
		return ctl_usage("status: --json needs a mount point");
	if (words[0])
		return show(words[0], raw);
	return mountinfo_each(list_mount, &status) < 0 ? 1 : status;
}
