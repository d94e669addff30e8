/* SPDX-License-Identifier: MIT */
#include "fs/ctl/ctl.h"

#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

#include "fs/ctl/reader.h"
#include "fs/ctl/words.h"

static int print_path(struct reader *r, uint64_t top, const char *path)
{
	struct item item;
	struct err why;
	int rc = reader_find(r, top, path, true, &item);

	if (rc == 0 && !S_ISREG(item.attr.st_mode) && !S_ISDIR(item.attr.st_mode))
		return ctl_error("%s: not a regular file", path);
	if (rc == 0)
		rc = reader_print(r, &item);
	return rc < 0 ? ctl_error("%s: %s", path, reader_why(r, rc, &why)) : 0;
}

static int print_paths(const struct words *w, void *arg)
{
	const char *const *layer = arg;
	char **path = w->operands + 1;
	struct err e = {""};
	struct reader r;
	uint64_t top = 0;
	int status = 0, rc = reader_open(&r, w, w->operands[0], &e);

	if (rc == 0)
		rc = reader_top(&r, *layer, &top, &e);
	if (rc < 0)
		status = ctl_error("%s", e.text);
	for (; rc == 0 && *path; path++)
		status |= print_path(&r, top, *path);
	reader_close(&r);
	return status;
}

static int run_cat(char **words)
{
	static const struct reader_command cat = {"cat", "an image and a path", 2,
						  SIZE_MAX, print_paths};
	const char *layer = NULL;
	const struct word_flag flags[] = {
		{.name = "layer", .value = &layer},
		{.letter = '\0'},
	};

	return reader_run(&cat, words, flags, &layer);
}

const struct ctl_command cat_command = {
	"cat",
	"cat [--layer=N] [-o OPT[,OPT...]] SOURCE PATH...",
	"  cat       print files of an image, without a mount\n",
	run_cat,
};
