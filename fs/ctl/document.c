/* SPDX-License-Identifier: MIT */
/* What a mount shows beside rootfs/, of an image that is not mounted. */
#include "fs/ctl/ctl.h"

#include <stdio.h>

#include "fs/ctl/reader.h"
#include "fs/ctl/words.h"

static int print_document(const struct words *w, void *arg)
{
	const char *name = arg;
	struct err e = {""}, why;
	struct reader r;
	struct item item;
	int rc = reader_open(&r, w, w->operands[0], &e);

	if (rc == 0)
		rc = reader_document(&r, name, &item, &e);
	if (rc == 0) {
		rc = reader_print(&r, &item);
		if (rc < 0)
			err_set(&e, rc, "%s: %s", name, reader_why(&r, rc, &why));
	}
	if (rc < 0)
		ctl_error("%s", e.text);
	reader_close(&r);
	return rc < 0 ? 1 : 0;
}

static int run_document(const char *command, const char *name, char **words)
{
	const struct reader_command c = {command, "an image", 1, 1, print_document};

	return reader_run(&c, words, NULL, (void *)(uintptr_t)name);
}

static int run_inspect(char **words)
{
	return run_document("inspect", "inspect.json", words);
}

static int run_history(char **words)
{
	return run_document("history", "history", words);
}

static int run_dockerfile(char **words)
{
	return run_document("dockerfile", "Dockerfile", words);
}

#define USAGE " [-o OPT[,OPT...]] SOURCE"

const struct ctl_command inspect_command = {
	"inspect",
	"inspect" USAGE,
	"  inspect   print what docker image inspect would\n",
	run_inspect,
};

const struct ctl_command history_command = {
	"history",
	"history" USAGE,
	"  history   print the build steps of an image, as docker history --no-trunc\n",
	run_history,
};

const struct ctl_command dockerfile_command = {
	"dockerfile",
	"dockerfile" USAGE,
	"  dockerfile  print the build steps as a Dockerfile\n",
	run_dockerfile,
};
