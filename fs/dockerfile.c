/* SPDX-License-Identifier: MIT */
/*
 * A step says what was done in one of three ways:
 *
 *	/bin/sh -c #(nop)  CMD ["bash"]		the classic builder, and Buildah
 *	|1 A=b /bin/sh -c make			the same: RUN, with build arguments
 *	RUN |1 A=b /bin/sh -c make # buildkit	BuildKit; others without the shell
 *
 * The steps of the base image are among those of the image, so the file begins with
 * scratch. What the config has and no step told comes last.
 */
#include "fs/dockerfile.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "fs/goform.h"
#include "fs/history.h"
#include "fs/layerjson.h"
#include "fs/mount.h"

#define SHELL "/bin/sh -c"
#define NOP   "#(nop)"

/* INSTRUCTIONS: how what stands behind the word is written */

typedef int argument_fn(const char *text, struct buf *out);

static int as_it_is(const char *text, struct buf *out)
{
	return buf_append_text(out, text);
}

/* "file:HEX in /dir": what was copied is not known by name. */
static int copied(const char *text, struct buf *out)
{
	static const char *const kinds[] = {"file:", "dir:", "multi:"};
	const char *in = strstr(text, " in ");
	size_t i;
	int r;

	for (i = 0; in && i < 3; i++) {
		if (strncmp(text, kinds[i], strlen(kinds[i])) != 0)
			continue;
		r = buf_append(out, text, (size_t)(in - text));
		return r < 0 ? r : buf_append_text(out, in + 3);
	}
	return buf_append_text(out, text);
}

static const struct instruction {
	const char *word;
	argument_fn *argument;
} instructions[] = {
	{"RUN", as_it_is},
	{"ADD", copied},
	{"COPY", copied},
	{"ENV", as_it_is},
	{"LABEL", as_it_is},
	{"ARG", as_it_is},
	{"ENTRYPOINT", goform_list},
	{"CMD", goform_list},
	{"SHELL", goform_list},
	{"VOLUME", goform_list},
	{"EXPOSE", goform_words},
	{"USER", as_it_is},
	{"WORKDIR", as_it_is},
	{"STOPSIGNAL", as_it_is},
	{"HEALTHCHECK", goform_health},
	{"ONBUILD", as_it_is},
	{"MAINTAINER", as_it_is},
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

/* One that ends with its line, whatever it holds: nothing in it can pass for another. */
static int append_plain(struct buf *out, const char *text)
{
	int r = 0;

	for (; r == 0 && *text; text++)
		r = buf_append(out, (unsigned char)*text < ' ' ? "?" : text, 1);
	return r;
}

/* "KEY=value" with the value in quotes if it needs them. */
static int append_pair(struct buf *out, const char *pair)
{
	const char *value = strchr(pair, '=');
	int r;

	if (!value || !value[strcspn(value, " \t\"'\\$#")])
		return append_plain(out, pair);
	r = buf_append(out, pair, (size_t)(++value - pair));
	if (r == 0)
		r = buf_append_text(out, "\"");
	for (; r == 0 && *value; value++) {
		if (strchr("\"\\$", *value))
			r = buf_append_text(out, "\\");
		if (r == 0)
			r = buf_append(out, value, 1);
	}
	return r < 0 ? r : buf_append_text(out, "\"");
}

/* Is this one variable or label of the config? Else it may be several, as they stand. */
static bool is_one_pair(const struct json *config, const char *word, const char *pair)
{
	const struct json *env = json_member(config, "Env");
	const struct json *labels = json_member(config, "Labels");
	size_t i, len = strcspn(pair, "=");
	const char *text;

	if (strcmp(word, "ENV") == 0) {
		for (i = 0; i < json_count(env); i++) {
			text = json_string(json_item(env, i));
			if (text && strcmp(text, pair) == 0)
				return true;
		}
		return false;
	}
	for (i = 0; i < json_count(labels); i++) {
		text = json_string(json_value(labels, i));
		if (text && strlen(json_key(labels, i)) == len &&
		    strncmp(json_key(labels, i), pair, len) == 0 && pair[len] == '=' &&
		    strcmp(text, pair + len + 1) == 0)
			return true;
	}
	return false;
}

/* RUN of several lines is a here document, whose end is no line of it. */
static int append_lines(struct buf *out, const char *text)
{
	char end[16];
	unsigned i = 0;
	int r;

	do {
		snprintf(end, sizeof(end), i ? "\nEOF%u" : "\nEOF", i);
		i++;
	} while (strstr(text, end));
	r = buf_printf(out, "<<%s\n%s", end + 1, text);
	return r < 0 ? r : buf_printf(out, "%s", end);
}

static int append_argument(struct buf *out, const struct instruction *in,
			   const char *text, const struct json *config)
{
	bool is_pair = !strcmp(in->word, "ENV") || !strcmp(in->word, "LABEL");

	if (!strcmp(in->word, "RUN") && strchr(text, '\n'))
		return append_lines(out, text);
	if (is_pair && is_one_pair(config, in->word, text))
		return append_pair(out, text);
	return in->argument(text, out);
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

/* "|2 A=b C=d /bin/sh -c make": what was given is said in a comment. */
static int pass_arguments(char **text, const char *shell, struct buf *out)
{
	char *end = strstr(*text, shell);
	int r;

	if (**text != '|' || !isdigit((unsigned char)(*text)[1]) || !end)
		return 0;
	*text += strcspn(*text, " ");
	r = buf_printf(out, "# build arguments:%.*s\n", (int)(end - *text), *text);
	*text = end;
	return r;
}

static int append_instruction(struct buf *out, char *text, bool is_run, const char *shell,
			      const struct json *config)
{
	const struct instruction *in = is_run ? NULL : find_instruction(text);
	size_t len = strlen(shell);
	int r = 0;

	if (in)
		text += strlen(in->word);
	else
		in = &instructions[0];
	trim(&text);
	if (in == &instructions[0]) {
		r = pass_arguments(&text, shell, out);
		if (strncmp(text, shell, len) == 0 && text[len] == ' ')
			text += len;
		trim(&text);
	} else {
		text[strcspn(text, "\n")] = '\0'; /* no other has lines */
	}
	if (r == 0)
		r = buf_printf(out, "%s ", in->word);
	if (r == 0)
		r = append_argument(out, in, text, config);
	return r < 0 ? r : buf_append_text(out, "\n");
}

int dockerfile_step(const char *created_by, const struct json *config, const char *shell,
		    struct buf *out)
{
	static const char mark[] = "# buildkit";
	char *copy = strdup(created_by), *text = copy, *nop, *known;
	size_t len;
	bool is_run;
	int r;

	if (!copy)
		return -ENOMEM;
	trim(&text);
	len = strlen(text);
	if (len >= sizeof(mark) - 1 && strcmp(text + len - (sizeof(mark) - 1), mark) == 0)
		text[len - (sizeof(mark) - 1)] = '\0';
	trim(&text);
	nop = strstr(text, NOP);
	known = nop ? memchr(text, '\n', (size_t)(nop - text)) : NULL;
	/* "... -c #(nop)": it was not run. Further on it is a text that was run. */
	if (nop && !known && nop - text < 64 && !find_instruction(text)) {
		text = nop + strlen(NOP);
		trim(&text);
	}
	is_run = !find_instruction(text);
	r = *text ? append_instruction(out, text, is_run, shell, config) : 0;
	free(copy);
	return r;
}

/* WHAT NO STEP TOLD */

struct rest {
	const struct json *config;
	struct buf *out;
	size_t steps; /* where they begin in @out */
	bool is_said; /* the line before the first */
	int r;
};

/* Is there a word that begins so among @text, and ends there, or goes on after "=" or "/"? */
static bool has_word(const char *text, size_t text_len, const char *word, size_t len)
{
	const char *end = text + text_len, *at = text;

	while ((at = memmem(at, (size_t)(end - at), word, len))) {
		const char *after = at + len;

		if (at > text && at[-1] == ' ' &&
		    (after == end || after[-1] == '=' || *after == ' ' || *after == '/'))
			return true;
		at++;
	}
	return false;
}

/* Is there a step of this instruction, with this in it if @len is not 0? */
static bool is_told(const struct rest *rest, const char *word, const char *key,
		    size_t len)
{
	const char *line = buf_text(rest->out) + rest->steps;
	size_t n = strlen(word);

	for (; line && *line; line = strchr(line, '\n'), line += line != NULL) {
		if (strncmp(line, word, n) != 0 || line[n] != ' ')
			continue;
		if (len == 0 || has_word(line + n, strcspn(line + n, "\n"), key, len))
			return true;
	}
	return false;
}

static void say(struct rest *rest, const char *word)
{
	if (rest->r == 0 && !rest->is_said)
		rest->r = buf_append_text(rest->out,
					  "\n# In the config, and in no step:\n");
	rest->is_said = true;
	if (rest->r == 0)
		rest->r = buf_printf(rest->out, "%s ", word);
}

static void end_line(struct rest *rest)
{
	if (rest->r == 0)
		rest->r = buf_append_text(rest->out, "\n");
}

static void add_pairs(struct rest *rest, const char *word, const struct json *list)
{
	struct buf pair;
	size_t i, len;

	for (i = 0; rest->r == 0 && i < json_count(list); i++) {
		const char *key = json_key(list, i),
			   *value = json_string(json_value(list, i));

		if (!value)
			continue;
		buf_init(&pair, DOCUMENT_MAX);
		rest->r = key ? buf_printf(&pair, "%s=%s", key, value)
			      : buf_append_text(&pair, value);
		len = strcspn(buf_text(&pair), "=");
		if (rest->r == 0 && !is_told(rest, word, buf_text(&pair), len + 1)) {
			say(rest, word);
			if (rest->r == 0)
				rest->r = append_pair(rest->out, buf_text(&pair));
			end_line(rest);
		}
		buf_release(&pair);
	}
}

static void add_text(struct rest *rest, const char *word, const char *member)
{
	const char *text = json_member_string(rest->config, member);

	if (!text || !*text || is_told(rest, word, "", 0))
		return;
	say(rest, word);
	if (rest->r == 0)
		rest->r = append_plain(rest->out, text);
	end_line(rest);
}

/* The texts of an array, or the keys of an object, as a JSON list. */
static void add_list(struct rest *rest, const char *word, const char *member)
{
	const struct json *list = json_member(rest->config, member);
	const char *before = "[";
	size_t i;

	if (json_count(list) == 0 || is_told(rest, word, "", 0))
		return;
	say(rest, word);
	for (i = 0; rest->r == 0 && i < json_count(list); i++) {
		const char *text = json_key(list, i);

		if (!text)
			text = json_string(json_item(list, i));
		rest->r = buf_append_text(rest->out, before);
		if (rest->r == 0)
			rest->r = json_append_string(rest->out, text ? text : "",
						     text ? strlen(text) : 0);
		before = ", ";
	}
	if (rest->r == 0)
		rest->r = buf_append_text(rest->out, "]");
	end_line(rest);
}

/* A line for each text of an array, or key of an object. */
static void add_each(struct rest *rest, const char *word, const char *member)
{
	const struct json *list = json_member(rest->config, member);
	size_t i;

	for (i = 0; rest->r == 0 && i < json_count(list); i++) {
		const char *text = json_key(list, i);
		size_t len;

		if (!text)
			text = json_string(json_item(list, i));
		len = text ? strlen(text) : 0;
		/* A port is of TCP if nothing is said. */
		if (len > 4 && strcmp(text + len - 4, "/tcp") == 0)
			len -= 4;
		if (len == 0 || is_told(rest, word, text, len))
			continue;
		say(rest, word);
		if (rest->r == 0)
			rest->r = append_plain(rest->out, text);
		end_line(rest);
	}
}

static void add_health(struct rest *rest)
{
	static const char *const names[][2] = {{"Interval", "interval"},
					       {"Timeout", "timeout"},
					       {"StartPeriod", "start-period"},
					       {"StartInterval", "start-interval"}};
	const struct json *health = json_member(rest->config, "Healthcheck");
	const struct json *test = json_member(health, "Test");
	const char *kind = json_string(json_item(test, 0)), *text;
	const char *before = "[";
	size_t i;
	int64_t n;

	if (!kind || is_told(rest, "HEALTHCHECK", "", 0))
		return;
	say(rest, "HEALTHCHECK");
	for (i = 0; rest->r == 0 && i < 4; i++) {
		if (json_member_int(health, names[i][0], &n) && n > 0)
			rest->r = buf_printf(rest->out, "--%s=%lldms ", names[i][1],
					     (long long)(n / 1000000));
	}
	if (rest->r == 0 && json_member_int(health, "Retries", &n) && n > 0)
		rest->r = buf_printf(rest->out, "--retries=%lld ", (long long)n);
	if (rest->r == 0)
		rest->r = buf_append_text(rest->out,
					  strcmp(kind, "NONE") ? "CMD " : "NONE");
	for (i = 1; rest->r == 0 && i < json_count(test); i++) {
		text = json_string(json_item(test, i));
		if (strcmp(kind, "CMD") != 0) {
			rest->r = buf_append_text(rest->out, text ? text : "");
			break;
		}
		rest->r = buf_append_text(rest->out, before);
		if (rest->r == 0)
			rest->r = json_append_string(rest->out, text ? text : "",
						     text ? strlen(text) : 0);
		before = ", ";
	}
	if (rest->r == 0 && *before == ',')
		rest->r = buf_append_text(rest->out, "]");
	end_line(rest);
}

static int add_rest(const struct json *config, size_t steps, struct buf *out)
{
	struct rest rest = {.config = config, .out = out, .steps = steps};

	add_pairs(&rest, "ENV", json_member(config, "Env"));
	add_pairs(&rest, "LABEL", json_member(config, "Labels"));
	add_each(&rest, "EXPOSE", "ExposedPorts");
	add_list(&rest, "VOLUME", "Volumes");
	add_text(&rest, "USER", "User");
	add_text(&rest, "WORKDIR", "WorkingDir");
	add_text(&rest, "STOPSIGNAL", "StopSignal");
	add_list(&rest, "SHELL", "Shell");
	add_health(&rest);
	add_list(&rest, "ENTRYPOINT", "Entrypoint");
	add_list(&rest, "CMD", "Cmd");
	add_each(&rest, "ONBUILD", "OnBuild");
	return rest.r;
}

/* ALL OF IT */

/* A step that is SHELL says what the next ones are given to. */
static int note_shell(const char *line, struct buf *shell)
{
	if (strncmp(line, "SHELL ", 6) != 0)
		return 0;
	buf_clear(shell);
	return goform_words(line + 6, shell);
}

static int add_step(const struct view *v, const struct step *step,
		    const struct json *config, struct buf *shell, struct buf *out)
{
	char name[LAYER_NAME_MAX];
	size_t before;
	int r = 0;

	if (step->layer != NO_LAYER)
		r = buf_printf(out, "\n# layers/%s\n",
			       layer_name(v->image, (uint32_t)step->layer, name));
	before = out->len;
	if (r == 0)
		r = dockerfile_step(step->created_by, config, buf_text(shell), out);
	if (r == 0 && out->len == before && step->layer != NO_LAYER)
		r = buf_append_text(out, "# no step is told for it\n");
	return r < 0 ? r : note_shell(buf_text(out) + before, shell);
}

static int add_head(const struct view *v, const struct json *config, struct buf *out)
{
	const struct json *labels = json_member(config, "Labels");
	const char *base, *digest;
	int r;

	base = json_member_string(labels, "org.opencontainers.image.base.name");
	digest = json_member_string(labels, "org.opencontainers.image.base.digest");
	r = buf_printf(out,
		       "# A reconstruction, from the history and config of %s;\n"
		       "# the file that it was built with is not known.\n",
		       v->image->name);
	if (r == 0 && base && !strchr(base, '\n'))
		r = buf_printf(out, "# Base image, whose steps are among these: %s%s%s\n",
			       base, digest ? "@" : "", digest ? digest : "");
	return r < 0 ? r : buf_append_text(out, "FROM scratch\n");
}

int dockerfile_render(const struct view *v, const struct history *h, uint32_t none,
		      struct buf *out)
{
	const struct json *config = json_member(h->config, "config");
	struct buf shell;
	size_t i, steps;
	int r;

	(void)none;
	buf_init(&shell, DOCUMENT_MAX);
	r = buf_append_text(&shell, SHELL);
	if (r == 0)
		r = add_head(v, config, out);
	steps = out->len;
	for (i = 0; r == 0 && i < h->n; i++)
		r = add_step(v, &h->steps[i], config, &shell, out);
	if (r == 0)
		r = add_rest(config, steps, out);
	buf_release(&shell);
	return r;
}
