/* SPDX-License-Identifier: MIT */
#include "fs/ctl/ctl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mountinfo.h"
#include "fs/ctl/mount_file.h"
#include "fs/ctl/words.h"
#include "fs/image/status.h"

/* Between two pictures of --follow. */
#define FOLLOW_SECONDS 1

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

static const char *plural(int64_t n)
{
	return n == 1 ? "" : "s";
}

static double get_mib(const struct json *j, const char *key)
{
	return (double)get_number(j, key) / (1 << 20);
}

static void print_layer(size_t i, const struct json *l)
{
	const char *hex = strchr(get_text(l, "digest"), ':');
	char skipped[48] = "", errors[48] = "";

	if (get_number(l, "skipped"))
		snprintf(skipped, sizeof(skipped), "  %" PRId64 " not shown",
			 get_number(l, "skipped"));
	if (get_number(l, "errors"))
		snprintf(errors, sizeof(errors), "  %" PRId64 " error%s",
			 get_number(l, "errors"), plural(get_number(l, "errors")));
	ctl_print("%5zu  %.12s  %-8s  %-12s %8.1f  %11.1f  %7" PRId64 "%s%s", i + 1,
		  hex ? hex + 1 : "", get_text(l, "state"), get_text(l, "from"),
		  get_mib(l, "size"), get_mib(l, "fetched"), get_number(l, "entries"),
		  skipped, errors);
	if (get_text(l, "error")[0])
		ctl_print("       %s", get_text(l, "error"));
}

static void print_image(const struct json *j)
{
	const struct json *layers = json_member(j, "layers");
	size_t i;

	ctl_print("image     %s", get_image(j));
	ctl_print("manifest  %s", get_text(j, "manifest"));
	if (strcmp(get_text(j, "platform"), "/") != 0) /* an artifact has none */
		ctl_print("platform  %s", get_text(j, "platform"));
	ctl_print("%s", "");
	ctl_print("layer  digest        state     index        size/MiB  fetched/MiB  "
		  "entries");
	for (i = 0; i < json_count(layers); i++)
		print_layer(i, json_item(layers, i));
	ctl_print("%s", "");
}

static void print_last_errors(const struct json *list)
{
	char when[32] = "";
	struct tm tm;
	time_t t;
	size_t i;

	for (i = 0; i < json_count(list); i++) {
		const struct json *f = json_item(list, i);

		t = (time_t)get_number(f, "time");
		if (localtime_r(&t, &tm))
			strftime(when, sizeof(when), "%F %T", &tm);
		ctl_print("          %s%s%s", when, get_text(f, "path")[0] ? "  " : "",
			  get_text(f, "path"));
		ctl_print("          %s", get_text(f, "error"));
	}
}

/* The list of a mount for engines: "docker.io/library/nginx:1.27  listed". */
static void print_list(const struct json *list)
{
	const struct json *images = json_member(list, "images");
	size_t i;

	if (!list)
		return;
	ctl_print("list      %s",
		  get_text(list, "file")[0] ? get_text(list, "file") : "none");
	for (i = 0; i < json_count(images); i++) {
		const struct json *image = json_item(images, i);
		const char *why = get_text(image, "error");

		ctl_print("          %-9s  %s", get_text(image, "state"),
			  why[0] ? why : get_text(image, "name"));
	}
}

static void print_status(const struct json *j)
{
	const struct json *net = json_member(j, "network"),
			  *images = json_member(j, "images");
	int64_t requests = get_number(net, "requests"),
		errors = get_number(net, "errors"), retries = get_number(net, "retries");

	if (json_member(j, "namespace")) {
		ctl_print("registry  %s", get_text(j, "namespace"));
		ctl_print("images    %" PRId64 " seen, %" PRId64 " loaded",
			  get_number(images, "seen"), get_number(images, "loaded"));
	} else {
		print_image(j);
	}
	print_list(json_member(j, "list"));
	ctl_print("state     %s", get_text(j, "state"));
	ctl_print("store     %s",
		  get_text(j, "store")[0] ? get_text(j, "store") : "none");
	if (get_text(j, "storeWarning")[0])
		ctl_print("          %s", get_text(j, "storeWarning"));
	ctl_print("network   %" PRId64 " request%s, %.1f MiB, %" PRId64
		  " error%s, %" PRId64 " retr%s",
		  requests, plural(requests), get_mib(net, "bytes"), errors,
		  plural(errors), retries, retries == 1 ? "y" : "ies");
	ctl_print("errors    %" PRId64, get_number(j, "errors"));
	print_last_errors(json_member(j, "lastErrors"));
}

static int read_status(const char *mountpoint, struct buf *b, struct json **out)
{
	buf_init(b, STATUS_MAX);
	return mount_file_status(mountpoint, MOUNT_FILE_MS, b, out);
}

/* One mount in full, with @before in front of it. 0 or a negative errno. */
static int print_mount(const char *mountpoint, bool raw, const char *before)
{
	struct json *j = NULL;
	const char *text;
	struct buf b;
	size_t len;
	int rc = read_status(mountpoint, &b, &j);

	if (rc == 0)
		ctl_write(before, strlen(before));
	if (rc == 0 && !raw)
		print_status(j);
	for (text = buf_text(&b); raw && rc == 0 && *text;
	     text += len + (text[len] != 0)) {
		len = strcspn(text, "\n");
		ctl_print("%.*s", (int)len, text);
	}
	json_free(j);
	buf_release(&b);
	return rc;
}

static int explain(const char *mountpoint, int code)
{
	return ctl_error("%s: %s", mountpoint,
			 code == -ENOENT && access(mountpoint, F_OK) < 0
				 ? strerror(-code)
				 : mount_file_explain(code));
}

/* Until the mount is gone. On a terminal each picture replaces the one before. */
static int follow(const char *mountpoint, bool raw)
{
	const struct timespec pause = {.tv_sec = FOLLOW_SECONDS};
	const char *home = isatty(STDOUT_FILENO) ? "\033[H\033[J" : "";
	int rc = print_mount(mountpoint, raw, home);

	if (rc < 0)
		return explain(mountpoint, rc);
	do {
		ctl_flush();
		nanosleep(&pause, NULL);
		rc = print_mount(mountpoint, raw, home[0] || raw ? home : "\n");
	} while (rc == 0);
	return rc == -ENOENT || rc == -ENOTCONN ? 0 : explain(mountpoint, rc);
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
		ctl_print("%s  %s  %s", m->mountpoint, m->source, mount_file_explain(rc));
	else
		ctl_print("%s  %s  %s  %.1f MiB fetched, %" PRId64 " error%s",
			  m->mountpoint, get_image(j)[0] ? get_image(j) : m->source,
			  get_text(j, "state"), get_mib(j, "fetchedBytes"),
			  get_number(j, "errors"), plural(get_number(j, "errors")));
	if (rc < 0 && rc != -EACCES && rc != -ENOENT)
		*status = 1;
	json_free(j);
	buf_release(&b);
	return 0;
}

static int run_parsed(const struct words *w, bool raw, bool follows)
{
	int status = 0, rc;

	if (w->n_lists > 0 || w->verbose)
		return ctl_usage("status: unknown option %s", w->verbose ? "-v" : "-o");
	if (w->n_operands > 1)
		return ctl_usage("status: %s: expected one mount point", w->operands[1]);
	if ((raw || follows) && w->n_operands == 0)
		return ctl_usage("status: --%s needs a mount point",
				 raw ? "json" : "follow");
	if (w->n_operands == 0)
		return mountinfo_each(list_mount, &status) < 0 ? 1 : status;
	if (follows)
		return follow(w->operands[0], raw);
	rc = print_mount(w->operands[0], raw, "");
	return rc < 0 ? explain(w->operands[0], rc) : 0;
}

static int run_status(char **words)
{
	bool raw = false, follows = false;
	const struct word_flag flags[] = {
		{.name = "json", .on = &raw},
		{.letter = 'f', .name = "follow", .on = &follows},
		{.letter = '\0'},
	};
	struct words w;
	struct err e;
	int status;

	if (words_parse(&w, words, flags, &e) < 0)
		status = ctl_usage("status: %s", e.text);
	else
		status = run_parsed(&w, raw, follows);
	words_release(&w);
	return status;
}

const struct ctl_command status_command = {
	"status",
	"status\nstatus [--json] [--follow] MOUNTPOINT",
	"  status    list all mounts; of a mount point: print the image, its layers and what\n"
	"            was fetched; --json: the text of .peelfs/status.json; --follow: print it\n"
	"            each second until the mount is gone\n",
	run_status,
};
