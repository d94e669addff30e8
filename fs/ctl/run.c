/* SPDX-License-Identifier: MIT */
#include "fs/ctl/ctl.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "fs/ctl/words.h"
#include "fs/options/options.h"
#include "fs/run/sandbox.h"
#include "fs/run/self.h"
#include "fs/run/spec.h"
#include "fs/run/stage.h"
#include "registry/source_name.h"

/* The command line, taken apart. */
struct request {
	struct words words;
	struct word_list env, volumes;
	const char *network;
	char *texts[STAGE_VOLUMES_MAX]; /* of volumes, owned */
	struct run_volume parts[STAGE_VOLUMES_MAX];
	struct run_spec spec;
};

static int parse_words(struct request *r, char **words, struct err *e)
{
	struct run_spec *s = &r->spec;
	bool removes; /* as always */
	const struct word_flag flags[] = {
		{.letter = 'i', .name = "interactive", .on = &s->is_interactive},
		{.letter = 't', .name = "tty", .on = &s->has_terminal},
		{.letter = 'e', .name = "env", .all = &r->env},
		{.letter = 'v', .name = "volume", .all = &r->volumes},
		{.letter = 'w', .name = "workdir", .value = &s->workdir},
		{.letter = 'u', .name = "user", .value = &s->user},
		{.name = "rw", .value = &s->kept},
		{.name = "net", .value = &r->network},
		{.name = "rm", .on = &removes},
		{.letter = '\0'},
	};
	int rc = words_parse_command(&r->words, words, flags, e);

	if (rc == 0 && r->words.n_operands == 0)
		rc = err_set(e, -EINVAL, "expected an image");
	return rc;
}

/* SRC:DST[:ro] */
static int parse_volume(struct request *r, const char *given, struct err *e)
{
	char *text = strdup(given), *target, *mode;
	size_t n = r->spec.n_volumes;

	if (!text || n == STAGE_VOLUMES_MAX) {
		free(text);
		return err_set(e, -E2BIG, "-v: at most %d", STAGE_VOLUMES_MAX);
	}
	r->texts[n] = text;
	r->spec.n_volumes++;
	target = strchr(text, ':');
	if (target)
		*target++ = '\0';
	mode = target ? strchr(target, ':') : NULL;
	if (mode)
		*mode++ = '\0';
	if (!text[0] || !target || target[0] != '/' || !target[strspn(target, "/")] ||
	    (mode && strcmp(mode, "ro") != 0 && strcmp(mode, "rw") != 0))
		return err_set(
			e, -EINVAL,
			"-v %s: expected SRC:DST[:ro], where DST is a path in the image",
			given);
	if (access(text, F_OK) < 0)
		return err_set(e, -errno, "-v %s: %s", text, strerror(errno));
	r->parts[n] = (struct run_volume){text, target, mode && strcmp(mode, "ro") == 0};
	return 0;
}

static int parse_network(struct request *r, struct err *e)
{
	const char *name = r->network ? r->network : "host";

	r->spec.has_network = strcmp(name, "none") != 0;
	return r->spec.has_network && strcmp(name, "host") != 0
		       ? err_set(e, -EINVAL, "--net %s: expected host or none", name)
		       : 0;
}

/* As peelfs will; to say so before anything starts. */
static int check_options(const struct request *r, struct err *e)
{
	const char *source = r->words.operands[0];
	struct options options;
	int rc = words_options(&r->words, source, &options, e);

	options_release(&options);
	if (rc == 0 && source_name_is_namespace(source))
		rc = err_set(e, -EINVAL,
			     "%s: a name that ends in a slash is not an image", source);
	return rc;
}

static int fill(struct request *r, struct err *e)
{
	struct run_spec *s = &r->spec;
	size_t i;
	int rc = parse_network(r, e);

	s->source = r->words.operands[0];
	s->words = r->words.operands + 1;
	s->lists = r->words.lists;
	s->env = r->env.items;
	s->volumes = r->parts;
	for (i = 0; rc == 0 && i < r->volumes.n; i++)
		rc = parse_volume(r, r->volumes.items[i], e);
	for (i = 0; rc == 0 && i < r->env.n; i++) {
		if (r->env.items[i][0] == '=' || r->env.items[i][0] == '\0')
			rc = err_set(e, -EINVAL, "-e %s: expected NAME=VALUE or NAME",
				     r->env.items[i]);
	}
	return rc < 0 ? rc : check_options(r, e);
}

static void release(struct request *r)
{
	size_t i;

	for (i = 0; i < r->spec.n_volumes; i++)
		free(r->texts[i]);
	free(r->env.items);
	free(r->volumes.items);
	words_release(&r->words);
}

/* The words again, for a copy of this program. */
static int protect(char **words, struct err *e)
{
	char name[] = "run", **again;
	size_t n = 0;
	int rc;

	while (words[n])
		n++;
	again = calloc(n + 2, sizeof(*again));
	if (!again)
		return err_set(e, -ENOMEM, "out of memory");
	again[0] = name;
	memcpy(again + 1, words, n * sizeof(*again));
	rc = self_protect(again, e);
	free(again);
	return rc;
}

static int start(struct request *r, char **words)
{
	char *peelfs = NULL;
	struct err e = {""};
	int status;

	/* Nothing that the caller has open gets into the sandbox. */
	(void)syscall(SYS_close_range, 3, ~0u, 0);
	if (protect(words, &e) < 0) {
		ctl_error("run: %s", e.text);
		return RUN_FAILED;
	}
	peelfs = self_neighbour("peelfs");
	r->spec.peelfs = peelfs ? peelfs : "peelfs";
	status = sandbox_run(&r->spec);
	free(peelfs);
	return status;
}

/* Wrong words, or what they name is not there. */
static int refuse(int rc, const struct err *e)
{
	if (rc == -EINVAL)
		ctl_usage("run: %s", e->text);
	else
		ctl_error("run: %s", e->text);
	return RUN_FAILED;
}

static int run_run(char **words)
{
	struct request r = {.network = NULL};
	struct err e = {""};
	int rc = parse_words(&r, words, &e), status;

	if (rc == 0)
		rc = fill(&r, &e);
	status = rc < 0 ? refuse(rc, &e) : start(&r, words);
	release(&r);
	return status;
}

const struct ctl_command run_command = {
	"run",
	"run [FLAG...] [-o OPT[,OPT...]] SOURCE [COMMAND...]",
	"  run       run a program in an image, without an engine or root. -t: in a new\n"
	"            terminal, -i: that reads this one; -e K=V, -v SRC:DST[:ro], -w DIR,\n"
	"            -u USER; --rw DIR: keep what it writes there; --net host|none\n",
	run_run,
};
