/* SPDX-License-Identifier: MIT */
/*
 * Changes to the list of images of a mount for engines. The daemon makes them: it resolves
 * each reference and writes the file. A thread waits for each, so the round trips to the
 * registry are made at one time.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "fs/ctl/ctl.h"
#include "fs/ctl/mount_file.h"
#include "fs/ctl/words.h"
#include "fs/image/list_request.h"
#include "fs/image/status.h"

/* More do not wait for less: the daemon resolves only some at one time. */
#define THREADS_MAX 16

struct change {
	const char *mountpoint;
	int dir;
	enum list_action action;
	char **references;
	size_t n;

	size_t next; /* atomic */
	bool failed; /* atomic */
};

static void explain_refusal(struct change *c, const char *reference, int code)
{
	if (code == ENOTTY)
		ctl_error("%s shows no list of images; layout=store and layout=erofs do",
			  c->mountpoint);
	else if (code == EPERM)
		ctl_error("%s: only root and the user who mounted it may change its list",
			  c->mountpoint);
	else
		ctl_error("%s: %s: %s", c->mountpoint, reference, strerror(code));
}

/* False: there is no use in trying others. */
static bool change_one(struct change *c, const char *reference)
{
	struct list_request r = {.action = c->action};
	int rc;

	if (strlen(reference) >= sizeof(r.reference)) {
		ctl_error("%.40s...: too long for a reference", reference);
		__atomic_store_n(&c->failed, true, __ATOMIC_RELAXED);
		return true;
	}
	strcpy(r.reference, reference);
	rc = ioctl(c->dir, LIST_IOCTL, &r);
	if (rc == 0 && r.code == 0)
		return true;
	__atomic_store_n(&c->failed, true, __ATOMIC_RELAXED);
	if (rc < 0) {
		explain_refusal(c, reference, errno);
		return errno != ENOTTY && errno != EPERM && errno != ENOTCONN;
	}
	r.why[sizeof(r.why) - 1] = '\0';
	ctl_error("%s: %s", c->mountpoint, r.why);
	return true;
}

static void *change_some(void *arg)
{
	struct change *c = arg;
	size_t i;

	while ((i = __atomic_fetch_add(&c->next, 1, __ATOMIC_RELAXED)) < c->n) {
		if (!change_one(c, c->references[i]))
			__atomic_store_n(&c->next, c->n, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* This thread makes what others do not. Removals are made in order: each takes no time. */
static void change_all(struct change *c)
{
	pthread_t threads[THREADS_MAX];
	size_t n = 0, max = c->action == LIST_ADD ? THREADS_MAX : 0;

	while (n < max && n + 1 < c->n &&
	       pthread_create(&threads[n], NULL, change_some, c) == 0)
		n++;
	change_some(c);
	while (n > 0)
		pthread_join(threads[--n], NULL);
}

/* A daemon that does not answer is found out before anything waits for it. */
static int probe(const char *mountpoint)
{
	struct buf b;
	int rc;

	buf_init(&b, STATUS_MAX);
	rc = mount_file_status(mountpoint, MOUNT_FILE_MS, &b, NULL);
	buf_release(&b);
	if (rc == 0)
		return 0;
	return ctl_error("%s: %s", mountpoint,
			 rc == -ENOENT && access(mountpoint, F_OK) < 0
				 ? strerror(-rc)
				 : mount_file_explain(rc));
}

static int run_parsed(const char *command, enum list_action action, struct words *w)
{
	struct change c = {.action = action};

	if (w->n_lists > 0 || w->verbose)
		return ctl_usage("%s: unknown option %s", command,
				 w->verbose ? "-v" : "-o");
	if (w->n_operands < 2)
		return ctl_usage("%s: expected a mount point and references", command);
	c.mountpoint = w->operands[0];
	c.references = w->operands + 1;
	c.n = w->n_operands - 1;
	if (probe(c.mountpoint) != 0)
		return 1;
	c.dir = open(c.mountpoint, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c.dir < 0)
		return ctl_error("%s: %s", c.mountpoint, mount_file_explain(-errno));
	change_all(&c);
	close(c.dir);
	return c.failed;
}

static int run(const char *command, enum list_action action, char **words)
{
	const struct word_flag flags[] = {{.letter = '\0'}};
	struct words w;
	struct err e;
	int status;

	if (words_parse(&w, words, flags, &e) < 0)
		status = ctl_usage("%s: %s", command, e.text);
	else
		status = run_parsed(command, action, &w);
	words_release(&w);
	return status;
}

static int run_add(char **words)
{
	return run("add", LIST_ADD, words);
}

static int run_remove(char **words)
{
	return run("remove", LIST_REMOVE, words);
}

const struct ctl_command add_command = {
	"add",
	"add MOUNTPOINT REFERENCE...",
	"  add       list more images in a mount with layout=store or layout=erofs, and in the\n"
	"            file of its images=; returns when they are listed\n",
	run_add,
};

const struct ctl_command remove_command = {
	"remove",
	"remove MOUNTPOINT REFERENCE...",
	"  remove    list these images no more\n",
	run_remove,
};
