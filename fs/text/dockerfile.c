/* SPDX-License-Identifier: MIT */
/*
 * A step has one of three forms:
 *
 *	/bin/sh -c #(nop)  CMD ["bash"]		the classic builder, and Buildah
 *	|1 A=b /bin/sh -c make			the same: RUN, with build arguments
 *	RUN |1 A=b /bin/sh -c make # buildkit	BuildKit; other instructions without the
 *						shell
 *
 * The steps of the base image are among those of the image, so the file begins with
 * scratch. Instructions for the rest of the config come last. None of these texts can be
 * trusted to be one line, so dockerfile_line.h writes all of them.
 */
#include "fs/text/dockerfile.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "fs/text/dockerfile_config.h"
#include "fs/text/dockerfile_line.h"
#include "fs/text/facts.h"
#include "fs/text/go_values.h"
#include "fs/text/history.h"
#include "fs/text/instructions.h"
#include "fs/text/titles.h"
#include "registry/image/image.h"

#define NOP "#(nop)"

/* INSTRUCTIONS */

/* Appends the argument of an instruction, given as a step has it. */
typedef int argument_fn(const char *text, struct buf *out);

static int append_argument(const char *text, struct buf *out)
{
	return buf_append_text(out, text);
}

/* "file:HEX in /dir": the name of what was copied is not known. */
static int append_copied(const char *text, struct buf *out)
{
	static const char *const kinds[] = {"file:", "dir:", "multi:"};
	const char *in = strstr(text, " in ");
	size_t i;

	for (i = 0; in && i < 3; i++) {
		if (strncmp(text, kinds[i], strlen(kinds[i])) == 0)
			return buf_printf(out, "%.*s%s", (int)(in - text), text, in + 3);
	}
	return buf_append_text(out, text);
}

static const struct instruction {
	const char *word;
	argument_fn *argument;
} instructions[] = {
	{"RUN", append_argument},	   {"ADD", append_copied},
	{"COPY", append_copied},	   {"ENV", append_argument},
	{"LABEL", append_argument},	   {"ARG", append_argument},
	{"ENTRYPOINT", go_values_list},	   {"CMD", go_values_list},
	{"SHELL", go_values_list},	   {"VOLUME", go_values_list},
	{"EXPOSE", go_values_words},	   {"USER", append_argument},
	{"WORKDIR", append_argument},	   {"STOPSIGNAL", append_argument},
	{"HEALTHCHECK", go_values_health}, {"ONBUILD", append_argument},
	{"MAINTAINER", append_argument},
};

static const struct instruction *find_instruction(const char *text)
{
	size_t i, len;

	for (i = 0; i < sizeof(instructions) / sizeof(instructions[0]); i++) {
		len = strlen(instructions[i].word);
		if (strncmp(text, instructions[i].word, len) == 0 && text[len] == ' ')
			return &instructions[i];
	}
	return NULL;
}

/* ONE STEP */

static void trim(char **text)
{
	char *end;

	*text += strspn(*text, " \t\r\n");
	end = *text + strlen(*text);
	while (end > *text && isspace((unsigned char)end[-1]))
		*--end = '\0';
}

/* "|2 A=b C=d /bin/sh -c make": the arguments become a comment, *@text goes behind them. */
static int append_build_arguments(char **text, const char *shell, struct buf *out)
{
	char *from = *text + strcspn(*text, " "), *end = strstr(from, shell);

	if (**text != '|' || !isdigit((unsigned char)(*text)[1]) || !*shell || !end)
		return 0;
	*text = end;
	return dockerfile_line_printf(out, "# build arguments:%.*s", (int)(end - from),
				      from);
}

static int append_run(struct instructions *t, char *text, struct buf *out)
{
	const char *shell = buf_text(&t->shell);
	size_t len = t->shell.len;
	int rc = append_build_arguments(&text, shell, out);

	if (len > 0 && strncmp(text, shell, len) == 0 && text[len] == ' ')
		text += len;
	trim(&text);
	if (rc < 0)
		return rc;
	return dockerfile_line_is_script(text)
		       ? dockerfile_line_script(out, text)
		       : dockerfile_line_printf(out, "RUN %s", text);
}

static int append_instruction(struct instructions *t, const struct instruction *in,
			      char *text, struct buf *out)
{
	bool is_pair = strcmp(in->word, "ENV") == 0 || strcmp(in->word, "LABEL") == 0;
	struct buf line;
	int rc;

	buf_init(&line, out->max);
	rc = buf_printf(&line, "%s ", in->word);
	/* Exactly one pair if the config has it; else maybe several, copied unchanged. */
	if (rc == 0 && is_pair && instructions_is_config_pair(t, in->word, text))
		rc = dockerfile_line_pair(&line, text);
	else if (rc == 0)
		rc = in->argument(text, &line);
	if (rc == 0)
		rc = instructions_add(t, in->word,
				      buf_text(&line) + strlen(in->word) + 1);
	if (rc == 0)
		rc = dockerfile_line_instruction(out, &line);
	buf_release(&line);
	return rc;
}

/* A step that is no instruction is a command that was run. */
static int append_text(struct instructions *t, char *text, struct buf *out)
{
	const struct instruction *in = find_instruction(text);

	if (in)
		text += strlen(in->word);
	trim(&text);
	if (!in || in == &instructions[0])
		return append_run(t, text, out);
	return append_instruction(t, in, text, out);
}

int dockerfile_step(struct instructions *t, const char *created_by, struct buf *out)
{
	static const char mark[] = "# buildkit";
	char *copy = strdup(created_by), *text = copy, *nop, *line_end;
	size_t len;
	int rc;

	if (!copy)
		return -ENOMEM;
	trim(&text);
	len = strlen(text);
	if (len >= sizeof(mark) - 1 && strcmp(text + len - (sizeof(mark) - 1), mark) == 0)
		text[len - (sizeof(mark) - 1)] = '\0';
	trim(&text);
	nop = strstr(text, NOP);
	line_end = nop ? memchr(text, '\n', (size_t)(nop - text)) : NULL;
	/* "... -c #(nop)" was not run. Further behind, "#(nop)" is part of a command. */
	if (nop && !line_end && nop - text < 64 && !find_instruction(text)) {
		text = nop + strlen(NOP);
		trim(&text);
	}
	rc = *text ? append_text(t, text, out) : 0;
	free(copy);
	return rc;
}

/* THE FILE */

static int add_step(const struct image *img, const struct step *step,
		    struct instructions *t, struct buf *out)
{
	char name[LAYER_TITLE_MAX];
	size_t before;
	int rc = 0;

	if (step->layer != NO_LAYER)
		rc = buf_printf(out, "\n# layers/%s\n",
				title_of_layer(img, (uint32_t)step->layer, name));
	before = out->len;
	if (rc == 0)
		rc = dockerfile_step(t, step->created_by, out);
	if (rc == 0 && out->len == before && step->layer != NO_LAYER)
		rc = buf_append_text(out, "# the history has no step for it\n");
	return rc;
}

/* Longer than any reference or digest. */
#define BASE_MAX 512

static bool is_base(const char *text)
{
	return text && strlen(text) < BASE_MAX;
}

static int add_head(const char *name, const struct json *config, struct buf *out)
{
	const struct json *labels = json_member(config, "Labels");
	const char *base, *digest;
	int rc;

	base = json_member_string(labels, "org.opencontainers.image.base.name");
	digest = json_member_string(labels, "org.opencontainers.image.base.digest");
	rc = dockerfile_line_printf(
		out, "# A reconstruction from the history and config of %s;", name);
	if (rc == 0)
		rc = buf_append_text(out,
				     "# the file that it was built with is not known.\n");
	if (rc == 0 && is_base(base))
		rc = dockerfile_line_printf(
			out, "# Base image, whose steps are among these: %s%s%s", base,
			is_base(digest) ? "@" : "", is_base(digest) ? digest : "");
	return rc < 0 ? rc : buf_append_text(out, "FROM scratch\n");
}

int dockerfile_render(const struct image_facts *f, struct buf *out)
{
	const struct history *h = f->history;
	const struct json *config = json_member(h->config, "config");
	struct instructions t;
	size_t i;
	int rc = instructions_init(&t, config);

	if (rc == 0)
		rc = add_head(f->image->name, config, out);
	for (i = 0; rc == 0 && i < h->n; i++)
		rc = add_step(f->image, &h->steps[i], &t, out);
	if (rc == 0)
		rc = dockerfile_config_append(config, &t, out);
	instructions_release(&t);
	return rc;
}
