/* SPDX-License-Identifier: MIT */
#include "fs/ctl/ctl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "fs/ctl/packer.h"
#include "fs/ctl/reader.h"
#include "fs/ctl/words.h"

/*
 * The name of an operand in the archive, as tar(1) makes it: relative, and without anything
 * up to the last "..". @out has strlen(@path) + 1 bytes.
 */
static void clean_name(const char *path, char *out)
{
	size_t len, n = 0;

	for (; *(path += strspn(path, "/")); path += len) {
		len = strcspn(path, "/");
		if (len == 1 && path[0] == '.')
			continue;
		if (len == 2 && memcmp(path, "..", 2) == 0) {
			n = 0;
			continue;
		}
		if (n > 0)
			out[n++] = '/';
		memcpy(out + n, path, len);
		n += len;
	}
	out[n] = '\0';
}

static int pack_path(struct packer *p, uint64_t top, const char *path)
{
	char *name = malloc(strlen(path) + 1);
	struct item item;
	struct err e;
	int rc;

	if (!name)
		return -ENOMEM;
	clean_name(path, name);
	rc = reader_find(p->reader, top, path, false, &item);
	if (rc == 0) {
		rc = packer_add(p, name, &item);
	} else {
		p->is_incomplete = true;
		ctl_error("%s: %s", path, reader_why(p->reader, rc, &e));
		rc = 0;
	}
	free(name);
	return rc;
}

/* Packs the tree, or the parts of it that are named. As packer_add(). */
static int pack_all(struct packer *p, const struct item *top, char **paths)
{
	int rc = 0;

	if (!*paths)
		return packer_add(p, "", top);
	for (; rc == 0 && *paths; paths++)
		rc = pack_path(p, top->node, *paths);
	return rc;
}

/* The exit status. */
static int write_tar(struct reader *r, const char *layer, char **paths)
{
	struct packer p;
	struct item top;
	struct err e, why;
	uint64_t node;
	int rc = reader_top(r, layer, &node, &e);

	if (rc == 0) {
		rc = nodes_describe(r->nodes, node, NULL, &top);
		if (rc < 0)
			err_set(&e, rc, "%s", reader_why(r, rc, &why));
	}
	if (rc < 0)
		return ctl_error("%s", e.text);
	rc = packer_init(&p, r, STDOUT_FILENO);
	if (rc == 0)
		rc = pack_all(&p, &top, paths);
	if (rc == 0)
		rc = packer_end(&p);
	packer_release(&p);
	if (rc == -ENOMEM)
		return ctl_error("out of memory");
	if (rc < 0)
		ctl_output_failed(-rc);
	return p.is_incomplete ? 1 : 0;
}

static int read_image(const struct words *w, void *arg)
{
	const char *const *layer = arg;
	struct reader r;
	struct err e = {""};
	int status, rc;

	if (isatty(STDOUT_FILENO))
		return ctl_error("the archive is not written to a terminal: redirect it, "
				 "or pipe it to tar");
	rc = reader_open(&r, w, w->operands[0], &e);
	status = rc < 0 ? ctl_error("%s", e.text)
			: write_tar(&r, *layer, w->operands + 1);
	reader_close(&r);
	return status;
}

static int run_tar(char **words)
{
	static const struct reader_command tar = {"tar", "an image", 1, SIZE_MAX,
						  read_image};
	const char *layer = NULL;
	const struct word_flag flags[] = {
		{.name = "layer", .value = &layer},
		{.letter = '\0'},
	};

	return reader_run(&tar, words, flags, &layer);
}

const struct ctl_command tar_command = {
	"tar",
	"tar [--layer=N] [-o OPT[,OPT...]] SOURCE [PATH...]",
	"  tar       write the root file system of an image, or parts of it, as a tar to\n"
	"            stdout, without a mount; --layer: one layer, with its whiteouts\n",
	run_tar,
};
