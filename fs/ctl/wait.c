/* SPDX-License-Identifier: MIT */
/* A child makes the first access to the layers, this process looks at the status. */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/num.h"
#include "fs/ctl/ctl.h"
#include "fs/ctl/mount_file.h"
#include "fs/ctl/visit.h"
#include "fs/ctl/words.h"
#include "fs/image/status.h"
#include "fs/text/bar.h"
#include "registry/image/reference.h"

/* Between two looks at the status, with a terminal and without. */
#define TICK_MS	      100
#define QUIET_TICK_MS 1000
/* A status comes at once, unless the daemon resolves the image first. */
#define LOOK_MS 1000
/* Even if the time is over. */
#define LAST_LOOK_MS 500
/* A failure is remembered for some seconds, and is then the answer at once. */
#define RECENT_SECONDS 10
#define SECONDS_MAX    1000000000

struct wait {
	const char *top; /* the directory of the image */
	int64_t until;	 /* ms; INT64_MAX: no limit */
	uint64_t limit;	 /* seconds, if there is one */
	int64_t started; /* seconds since the epoch */
	struct visit visit;
	struct json *status; /* the last one; NULL: none yet */
	struct bar bar;
	bool has_bar;	 /* the bar knows the image */
	uint64_t before; /* bytes that had been fetched at the start */
	bool is_terminal;
};

static uint64_t get_count(const struct json *j, const char *key)
{
	int64_t n = 0;

	json_member_int(j, key, &n);
	return n > 0 ? (uint64_t)n : 0;
}

static const char *get_text(const struct json *j, const char *key)
{
	const char *s = json_member_string(j, key);

	return s ? s : "";
}

/* At most @ms, and no longer than the user wants to wait. */
static int within(const struct wait *w, int ms)
{
	int64_t left = w->until - clock_ms();

	if (left >= ms)
		return ms;
	return left > 0 ? (int)left : 0;
}

/* Reads the status, which may take @ms. 0 or a negative errno. */
static int look(struct wait *w, int ms)
{
	struct json *j = NULL;
	struct buf b;
	int rc;

	buf_init(&b, STATUS_MAX);
	rc = mount_file_status(w->top, ms, &b, &j);
	buf_release(&b);
	if (rc < 0)
		return rc;
	json_free(w->status);
	w->status = j;
	return 0;
}

/* THE BAR */

static const char *find_host(const struct json *status, struct reference *ref)
{
	const struct json *layers = json_member(status, "layers");
	struct err e;
	size_t i;

	for (i = 0; i < json_count(layers); i++) {
		if (strcmp(get_text(json_item(layers, i), "from"), "registry") == 0 &&
		    reference_parse(get_text(status, "image"), ref, &e) == 0)
			return ref->host;
	}
	return "";
}

static void get_state(const struct wait *w, struct bar_state *out)
{
	const struct json *p = json_member(w->status, "progress");

	*out = (struct bar_state){
		.is_resolved = p != NULL,
		.bytes = get_count(p, "sizeDone"),
		.size = get_count(p, "size"),
		.layers = get_count(p, "layersDone"),
		.n_layers = get_count(p, "layers"),
		.fetched = get_count(json_member(w->status, "network"), "bytes"),
	};
	out->fetched -= out->fetched < w->before ? out->fetched : w->before;
}

static void draw(struct wait *w)
{
	struct reference ref;
	struct bar_state at;
	char text[BAR_TEXT_MAX];

	if (!w->status || !w->is_terminal)
		return;
	if (!w->has_bar) {
		w->before = get_count(json_member(w->status, "network"), "bytes");
		bar_init(&w->bar, find_host(w->status, &ref), clock_ms());
		w->has_bar = true;
	}
	get_state(w, &at);
	bar_describe(&w->bar, &at, clock_ms(), text);
	bar_draw(&w->bar, &at, clock_ms(), text);
}

/* WHAT BROKE */

static int say_broken(const struct wait *w)
{
	const struct json *layers = json_member(w->status, "layers");
	size_t i;

	for (i = 0; i < json_count(layers); i++) {
		const char *why = get_text(json_item(layers, i), "error");

		if (why[0])
			ctl_error("%s: %s", w->top, why);
	}
	return ctl_error("%s: rootfs/ cannot be shown", w->top);
}

/* The load failed with @code; the reason is the last error, if that is recent. */
static int say_failed(const struct wait *w, int code)
{
	const struct json *list = json_member(w->status, "lastErrors"), *last;
	size_t n = json_count(list);
	int64_t when = 0;

	last = n > 0 ? json_item(list, n - 1) : NULL;
	json_member_int(last, "time", &when);
	if (last && when + RECENT_SECONDS >= w->started)
		return ctl_error("%s: %s", w->top, get_text(last, "error"));
	return ctl_error("%s: the layers cannot be loaded: %s", w->top, strerror(-code));
}

/* THE WAIT */

/* Whether the status says how it ends; then *status is the exit status. */
static bool is_decided(const struct wait *w, int *status)
{
	const char *state = get_text(w->status, "state");

	if (json_member(w->status, "namespace") && json_member(w->status, "list"))
		*status = ctl_error("%s lists images for engines, which load them when "
				    "they use them",
				    w->top);
	else if (json_member(w->status, "namespace"))
		*status = ctl_error("%s is a registry; wait for the directory of one of "
				    "its images",
				    w->top);
	else if (strcmp(state, "ready") == 0)
		*status = 0;
	else if (strcmp(state, "broken") == 0)
		*status = say_broken(w);
	else
		return false;
	return true;
}

static int say_late(struct wait *w)
{
	struct bar_state at;
	int status;

	if (look(w, LAST_LOOK_MS) == 0 && is_decided(w, &status))
		return status;
	get_state(w, &at);
	if (!at.is_resolved)
		return ctl_error("%s: the layers are not loaded after %" PRIu64 " s",
				 w->top, w->limit);
	return ctl_error("%s: only %zu of %zu layers are loaded after %" PRIu64 " s",
			 w->top, at.layers, at.n_layers, w->limit);
}

/* Looks again. 0, or why the mount will never say that it is ready. */
static int follow(struct wait *w)
{
	int rc = look(w, within(w, LOOK_MS));

	if (rc == -ETIMEDOUT)
		rc = visit_probe(w->top, within(w, MOUNT_FILE_MS));
	if (rc == -ETIMEDOUT && within(w, 1) == 0)
		rc = 0;
	return rc == -EIO ? 0 : rc; /* the image of a registry: the child will say why */
}

/* The exit status. */
static int await(struct wait *w)
{
	int tick = w->is_terminal ? TICK_MS : QUIET_TICK_MS, rc, gone = 0, status;

	do {
		draw(w);
		rc = visit_await(&w->visit, within(w, tick));
		if (rc == 1 && within(w, 1) > 0)
			gone = follow(w);
	} while (rc == 1 && gone == 0 && within(w, 1) > 0);
	bar_wipe(&w->bar);
	if (gone < 0)
		return ctl_error("%s: %s", w->top, mount_file_explain(gone));
	if (rc == 1)
		return say_late(w);
	if (look(w, LOOK_MS) == 0 && is_decided(w, &status))
		return status;
	return rc == 0 ? 0 : say_failed(w, rc);
}

/* Whether there is nothing to wait for; then *status is the exit status. */
static bool is_over(struct wait *w, int *status)
{
	int ms = within(w, LOOK_MS), rc;

	rc = look(w, ms > LAST_LOOK_MS ? ms : LAST_LOOK_MS);
	if (rc == 0)
		return is_decided(w, status);
	if (rc == -ETIMEDOUT)
		rc = visit_probe(w->top, within(w, MOUNT_FILE_MS));
	if (rc == 0)
		return false;
	if (rc == -ETIMEDOUT && within(w, 1) == 0)
		*status = say_late(w);
	else
		*status = ctl_error("%s: %s", w->top,
				    rc == -ENOENT && access(w->top, F_OK) < 0
					    ? strerror(-rc)
					    : mount_file_explain(rc));
	return true;
}

static int run_with(struct wait *w)
{
	int status, rc;

	if (is_over(w, &status))
		return status;
	if (w->is_terminal)
		bar_wipe_at_signals();
	rc = visit_start(&w->visit, w->top);
	if (rc < 0)
		return ctl_error("cannot start a process: %s", strerror(-rc));
	status = await(w);
	visit_end(&w->visit);
	return status;
}

static int run_parsed(const struct words *ws, const char *seconds)
{
	struct wait w = {.until = INT64_MAX,
			 .started = clock_realtime().tv_sec,
			 .is_terminal = isatty(STDERR_FILENO)};
	int status;

	if (ws->n_lists > 0 || ws->verbose)
		return ctl_usage("wait: unknown option %s", ws->verbose ? "-v" : "-o");
	if (ws->n_operands != 1)
		return ctl_usage("wait: expected one mount point");
	if (seconds && !num_parse(seconds, strlen(seconds), SECONDS_MAX, &w.limit))
		return ctl_usage("wait: %s is not a number of seconds", seconds);
	if (seconds)
		w.until = clock_ms() + (int64_t)w.limit * 1000;
	w.top = ws->operands[0];
	status = run_with(&w);
	json_free(w.status);
	return status;
}

static int run_wait(char **words)
{
	const char *seconds = NULL;
	const struct word_flag flags[] = {{.letter = 't', .value = &seconds},
					  {.letter = '\0'}};
	struct words ws;
	struct err e;
	int status;

	if (words_parse(&ws, words, flags, &e) < 0)
		status = ctl_usage("wait: %s", e.text);
	else
		status = run_parsed(&ws, seconds);
	words_release(&ws);
	return status;
}

const struct ctl_command wait_command = {
	"wait",
	"wait [-t SECONDS] MOUNTPOINT",
	"  wait      load all layers of a mounted image and wait for them, with a progress\n"
	"            bar on a terminal; -t SECONDS: no longer than that\n",
	run_wait,
};
