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
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
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

/* THE CONFIG */

/* Failures stick in rc. */
struct writer {
	const struct json *config;
	const struct instructions *t;
	struct buf *out;
	struct buf line;  /* the current instruction */
	bool has_heading; /* the comment before the first instruction */
	int rc;
};

static void begin_line(struct writer *w, const char *word)
{
	buf_clear(&w->line);
	if (w->rc == 0)
		w->rc = buf_printf(&w->line, "%s ", word);
}

static void end_line(struct writer *w)
{
	if (w->rc == 0 && !w->has_heading)
		w->rc = buf_append_text(w->out, "\n# In the config, and in no step:\n");
	w->has_heading = true;
	if (w->rc == 0)
		w->rc = dockerfile_line_instruction(w->out, &w->line);
}

static void write_pairs(struct writer *w, const char *word, const struct json *list)
{
	struct buf pair;
	size_t i;

	buf_init(&pair, DOCUMENT_MAX);
	for (i = 0; w->rc == 0 && i < json_count(list); i++) {
		const char *key = json_key(list, i),
			   *value = json_string(json_value(list, i));

		if (!value)
			continue;
		buf_clear(&pair);
		w->rc = key ? buf_printf(&pair, "%s=%s", key, value)
			    : buf_append_text(&pair, value);
		if (instructions_has_key(w->t, word, buf_text(&pair),
					 strcspn(buf_text(&pair), "=")))
			continue;
		begin_line(w, word);
		if (w->rc == 0)
			w->rc = dockerfile_line_pair(&w->line, buf_text(&pair));
		end_line(w);
	}
	buf_release(&pair);
}

static void write_text(struct writer *w, const char *word, const char *text)
{
	begin_line(w, word);
	if (w->rc == 0)
		w->rc = buf_append_text(&w->line, text);
	end_line(w);
}

static void write_member(struct writer *w, const char *word, const char *member)
{
	const char *text = json_member_string(w->config, member);

	if (text && *text && !instructions_has_word(w->t, word))
		write_text(w, word, text);
}

/* The text of an array, or key of an object; "" for what is none. */
static const char *item_text(const struct json *list, size_t i)
{
	const char *text = json_key(list, i);

	if (!text)
		text = json_string(json_item(list, i));
	return text ? text : "";
}

/* As a JSON list, from item @i on. */
static void append_list(struct writer *w, const struct json *list, size_t i)
{
	const char *text, *before = "[";

	for (; w->rc == 0 && i < json_count(list); i++, before = ", ") {
		text = item_text(list, i);
		w->rc = buf_append_text(&w->line, before);
		if (w->rc == 0)
			w->rc = json_append_string(&w->line, text, strlen(text));
	}
	if (w->rc == 0 && *before == ',')
		w->rc = buf_append_text(&w->line, "]");
}

static void write_list(struct writer *w, const char *word, const char *member)
{
	const struct json *list = json_member(w->config, member);

	if (json_count(list) == 0 || instructions_has_word(w->t, word))
		return;
	begin_line(w, word);
	append_list(w, list, 0);
	end_line(w);
}

/* A line for each. */
static void write_each(struct writer *w, const char *word, const char *member)
{
	const struct json *list = json_member(w->config, member);
	const char *text;
	size_t i;

	for (i = 0; w->rc == 0 && i < json_count(list); i++) {
		text = item_text(list, i);
		if (*text && !instructions_has_key(w->t, word, text, strlen(text)))
			write_text(w, word, text);
	}
}

static void write_health(struct writer *w)
{
	static const char *const names[][2] = {{"Interval", "interval"},
					       {"Timeout", "timeout"},
					       {"StartPeriod", "start-period"},
					       {"StartInterval", "start-interval"}};
	const struct json *health = json_member(w->config, "Healthcheck");
	const struct json *test = json_member(health, "Test");
	const char *kind = json_string(json_item(test, 0));
	size_t i;
	int64_t n;

	if (!kind || instructions_has_word(w->t, "HEALTHCHECK"))
		return;
	begin_line(w, "HEALTHCHECK");
	for (i = 0; w->rc == 0 && i < 4; i++) {
		if (json_member_int(health, names[i][0], &n) && n > 0)
			w->rc = buf_printf(&w->line, "--%s=%lldms ", names[i][1],
					   (long long)(n / 1000000));
	}
	if (w->rc == 0 && json_member_int(health, "Retries", &n) && n > 0)
		w->rc = buf_printf(&w->line, "--retries=%lld ", (long long)n);
	if (w->rc == 0)
		w->rc = buf_append_text(&w->line, strcmp(kind, "NONE") ? "CMD " : "NONE");
	if (strcmp(kind, "CMD") == 0)
		append_list(w, test, 1);
	else if (w->rc == 0)
		w->rc = buf_append_text(&w->line, item_text(test, 1));
	end_line(w);
}

/*
 * Appends instructions for what is in @config, the part "config" of an image's config, and in
 * no step that @t has: behind a comment, or nothing at all.
 */
static int append_config(const struct json *config, struct instructions *t,
			 struct buf *out)
{
	struct writer w = {.config = config, .t = t, .out = out};

	instructions_sort(t);
	buf_init(&w.line, out->max);
	write_pairs(&w, "ENV", json_member(config, "Env"));
	write_pairs(&w, "LABEL", json_member(config, "Labels"));
	write_each(&w, "EXPOSE", "ExposedPorts");
	write_list(&w, "VOLUME", "Volumes");
	write_member(&w, "USER", "User");
	write_member(&w, "WORKDIR", "WorkingDir");
	write_member(&w, "STOPSIGNAL", "StopSignal");
	write_list(&w, "SHELL", "Shell");
	write_health(&w);
	write_list(&w, "ENTRYPOINT", "Entrypoint");
	write_list(&w, "CMD", "Cmd");
	write_each(&w, "ONBUILD", "OnBuild");
	buf_release(&w.line);
	return w.rc;
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
		rc = append_config(config, &t, out);
	instructions_release(&t);
	return rc;
}
