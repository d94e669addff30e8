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
 *
 * None of these texts can be trusted to be one line. RUN of several lines is a here
 * document. All else goes through append_line(): what would end the line, and every other
 * control character but the tab, is written as in JSON, \n or \u001b, also in comments and
 * in the lines of a here document. So no text passes for an instruction that is in no step,
 * nor for a command to a terminal. A backslash that would join the next line is doubled.
 */
#include "fs/text/dockerfile.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/control.h"
#include "base/json.h"
#include "fs/text/facts.h"
#include "fs/text/go_values.h"
#include "fs/text/history.h"
#include "fs/text/instructions.h"
#include "fs/text/titles.h"
#include "registry/image/image.h"

#define NOP "#(nop)"

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
	int rc;

	for (i = 0; in && i < 3; i++) {
		if (strncmp(text, kinds[i], strlen(kinds[i])) != 0)
			continue;
		rc = buf_append(out, text, (size_t)(in - text));
		return rc < 0 ? rc : buf_append_text(out, in + 3);
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
	{"ENTRYPOINT", go_values_list},
	{"CMD", go_values_list},
	{"SHELL", go_values_list},
	{"VOLUME", go_values_list},
	{"EXPOSE", go_values_words},
	{"USER", as_it_is},
	{"WORKDIR", as_it_is},
	{"STOPSIGNAL", as_it_is},
	{"HEALTHCHECK", go_values_health},
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

/* "KEY=value" with the value in quotes if it needs them. */
static int append_pair(struct buf *out, const char *pair)
{
	const char *value = strchr(pair, '=');
	int rc;

	if (!value || !value[strcspn(value, " \t\r\n\"'\\$#")])
		return buf_append_text(out, pair);
	rc = buf_append(out, pair, (size_t)(++value - pair));
	if (rc == 0)
		rc = buf_append_text(out, "\"");
	for (; rc == 0 && *value; value++) {
		if (strchr("\"\\$", *value))
			rc = buf_append_text(out, "\\");
		if (rc == 0)
			rc = buf_append(out, value, 1);
	}
	return rc < 0 ? rc : buf_append_text(out, "\"");
}

/* LINES */

static int append_control(struct buf *out, unsigned char c)
{
	if (c == '\n' || c == '\r')
		return buf_append_text(out, c == '\n' ? "\\n" : "\\r");
	return buf_printf(out, "\\u%04x", c);
}

/* Exactly one line, whatever is in the text. */
static int append_line(struct buf *out, const char *text, size_t len)
{
	const char *p = text, *from = text, *end = text + len;
	size_t n;
	int rc = 0;

	while (rc == 0 && p < end) {
		n = *p == '\t' ? 0 : control_len(p, end);
		if (n > 0) {
			rc = buf_append(out, from, (size_t)(p - from));
			if (rc == 0)
				rc = append_control(out, (unsigned char)p[n - 1]);
			from = p + n;
		}
		p += n ? n : 1;
	}
	if (rc == 0)
		rc = buf_append(out, from, (size_t)(end - from));
	return rc < 0 ? rc : buf_append_text(out, "\n");
}

/* Would the next line be part of this one? Two backslashes are one that is meant. */
static bool is_joined(const char *text, size_t len)
{
	while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t'))
		len--;
	return len > 0 && text[len - 1] == '\\' && (len == 1 || text[len - 2] != '\\');
}

static int append_instruction(struct buf *out, struct buf *line)
{
	int rc = 0;

	if (is_joined(buf_text(line), line->len))
		rc = buf_append_text(line, "\\");
	return rc < 0 ? rc : append_line(out, buf_text(line), line->len);
}

/*
 * A here document, whose end is no line of it: of the lines EOF, EOF1, EOF11 ... the
 * longest has one digit less.
 */
static int append_script(struct buf *out, const char *text)
{
	size_t len, digits, n = 0;
	struct buf end;
	const char *p;
	int rc;

	for (p = text; *p; p += len + (p[len] == '\n')) {
		len = strcspn(p, "\n");
		if (len < 3 || strncmp(p, "EOF", 3) != 0)
			continue;
		digits = strspn(p + 3, "1");
		if (digits == len - 3 && digits >= n)
			n = digits + 1;
	}
	buf_init(&end, out->max);
	rc = buf_append_text(&end, "EOF");
	while (rc == 0 && n-- > 0)
		rc = buf_append_text(&end, "1");
	if (rc == 0)
		rc = buf_printf(out, "RUN <<%s\n", buf_text(&end));
	for (p = text; rc == 0 && *p; p += len + (p[len] == '\n')) {
		len = strcspn(p, "\n");
		rc = append_line(out, p, len);
	}
	if (rc == 0)
		rc = append_line(out, buf_text(&end), end.len);
	buf_release(&end);
	return rc;
}

/* What as one line of RUN would be more, or less, than that. */
static bool is_script(const char *text)
{
	return strchr(text, '\n') || strstr(text, "<<") || is_joined(text, strlen(text));
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
	char *from = *text + strcspn(*text, " "), *end = strstr(from, shell);
	struct buf line;
	int rc;

	if (**text != '|' || !isdigit((unsigned char)(*text)[1]) || !*shell || !end)
		return 0;
	buf_init(&line, out->max);
	rc = buf_append_text(&line, "# build arguments:");
	if (rc == 0)
		rc = buf_append(&line, from, (size_t)(end - from));
	if (rc == 0)
		rc = append_line(out, buf_text(&line), line.len);
	buf_release(&line);
	*text = end;
	return rc;
}

static int append_run(struct instructions *t, char *text, struct buf *out)
{
	const char *shell = buf_text(&t->shell);
	size_t len = t->shell.len;
	struct buf line;
	int rc = pass_arguments(&text, shell, out);

	if (len > 0 && strncmp(text, shell, len) == 0 && text[len] == ' ')
		text += len;
	trim(&text);
	if (rc < 0 || is_script(text))
		return rc < 0 ? rc : append_script(out, text);
	buf_init(&line, out->max);
	rc = buf_printf(&line, "RUN %s", text);
	if (rc == 0)
		rc = append_line(out, buf_text(&line), line.len);
	buf_release(&line);
	return rc;
}

static int append_other(struct instructions *t, const struct instruction *in, char *text,
			struct buf *out)
{
	bool is_pair = strcmp(in->word, "ENV") == 0 || strcmp(in->word, "LABEL") == 0;
	struct buf line;
	int rc;

	buf_init(&line, out->max);
	rc = buf_printf(&line, "%s ", in->word);
	/* One that the config has; else it may be several, as they stand. */
	if (rc == 0 && is_pair && instructions_has_pair(t, in->word, text))
		rc = append_pair(&line, text);
	else if (rc == 0)
		rc = in->argument(text, &line);
	if (rc == 0)
		rc = instructions_note(t, in->word,
				       buf_text(&line) + strlen(in->word) + 1);
	if (rc == 0)
		rc = append_instruction(out, &line);
	buf_release(&line);
	return rc;
}

/* What is no instruction is what was run. */
static int append_step(struct instructions *t, char *text, struct buf *out)
{
	const struct instruction *in = find_instruction(text);

	if (in)
		text += strlen(in->word);
	trim(&text);
	if (!in || in == &instructions[0])
		return append_run(t, text, out);
	return append_other(t, in, text, out);
}

int dockerfile_step(struct instructions *t, const char *created_by, struct buf *out)
{
	static const char mark[] = "# buildkit";
	char *copy = strdup(created_by), *text = copy, *nop, *known;
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
	known = nop ? memchr(text, '\n', (size_t)(nop - text)) : NULL;
	/* "... -c #(nop)": it was not run. Further on it is a text that was run. */
	if (nop && !known && nop - text < 64 && !find_instruction(text)) {
		text = nop + strlen(NOP);
		trim(&text);
	}
	rc = *text ? append_step(t, text, out) : 0;
	free(copy);
	return rc;
}

/* WHAT NO STEP TOLD */

struct rest {
	const struct json *config;
	const struct instructions *t;
	struct buf *out;
	struct buf line; /* the one that is made */
	bool is_said;	 /* the line before the first */
	int rc;
};

static void say(struct rest *rest, const char *word)
{
	buf_clear(&rest->line);
	if (rest->rc == 0)
		rest->rc = buf_printf(&rest->line, "%s ", word);
}

static void end_line(struct rest *rest)
{
	if (rest->rc == 0 && !rest->is_said)
		rest->rc = buf_append_text(rest->out,
					   "\n# In the config, and in no step:\n");
	rest->is_said = true;
	if (rest->rc == 0)
		rest->rc = append_instruction(rest->out, &rest->line);
}

static void add_pairs(struct rest *rest, const char *word, const struct json *list)
{
	struct buf pair;
	size_t i;

	buf_init(&pair, DOCUMENT_MAX);
	for (i = 0; rest->rc == 0 && i < json_count(list); i++) {
		const char *key = json_key(list, i),
			   *value = json_string(json_value(list, i));

		if (!value)
			continue;
		buf_clear(&pair);
		rest->rc = key ? buf_printf(&pair, "%s=%s", key, value)
			       : buf_append_text(&pair, value);
		if (instructions_has(rest->t, word, buf_text(&pair),
				     strcspn(buf_text(&pair), "=")))
			continue;
		say(rest, word);
		if (rest->rc == 0)
			rest->rc = append_pair(&rest->line, buf_text(&pair));
		end_line(rest);
	}
	buf_release(&pair);
}

static void add_text(struct rest *rest, const char *word, const char *member)
{
	const char *text = json_member_string(rest->config, member);

	if (!text || !*text || instructions_has_step(rest->t, word))
		return;
	say(rest, word);
	if (rest->rc == 0)
		rest->rc = buf_append_text(&rest->line, text);
	end_line(rest);
}

/* The texts of an array, or the keys of an object, as a JSON list. */
static void add_list(struct rest *rest, const char *word, const char *member)
{
	const struct json *list = json_member(rest->config, member);
	const char *before = "[";
	size_t i;

	if (json_count(list) == 0 || instructions_has_step(rest->t, word))
		return;
	say(rest, word);
	for (i = 0; rest->rc == 0 && i < json_count(list); i++) {
		const char *text = json_key(list, i);

		if (!text)
			text = json_string(json_item(list, i));
		rest->rc = buf_append_text(&rest->line, before);
		if (rest->rc == 0)
			rest->rc = json_append_string(&rest->line, text ? text : "",
						      text ? strlen(text) : 0);
		before = ", ";
	}
	if (rest->rc == 0)
		rest->rc = buf_append_text(&rest->line, "]");
	end_line(rest);
}

/* A line for each text of an array, or key of an object. */
static void add_each(struct rest *rest, const char *word, const char *member)
{
	const struct json *list = json_member(rest->config, member);
	size_t i;

	for (i = 0; rest->rc == 0 && i < json_count(list); i++) {
		const char *text = json_key(list, i);
		size_t len;

		if (!text)
			text = json_string(json_item(list, i));
		len = text ? strlen(text) : 0;
		if (len == 0 || instructions_has(rest->t, word, text, len))
			continue;
		say(rest, word);
		if (rest->rc == 0)
			rest->rc = buf_append_text(&rest->line, text);
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

	if (!kind || instructions_has_step(rest->t, "HEALTHCHECK"))
		return;
	say(rest, "HEALTHCHECK");
	for (i = 0; rest->rc == 0 && i < 4; i++) {
		if (json_member_int(health, names[i][0], &n) && n > 0)
			rest->rc = buf_printf(&rest->line, "--%s=%lldms ", names[i][1],
					      (long long)(n / 1000000));
	}
	if (rest->rc == 0 && json_member_int(health, "Retries", &n) && n > 0)
		rest->rc = buf_printf(&rest->line, "--retries=%lld ", (long long)n);
	if (rest->rc == 0)
		rest->rc = buf_append_text(&rest->line,
					   strcmp(kind, "NONE") ? "CMD " : "NONE");
	for (i = 1; rest->rc == 0 && i < json_count(test); i++) {
		text = json_string(json_item(test, i));
		if (strcmp(kind, "CMD") != 0) {
			rest->rc = buf_append_text(&rest->line, text ? text : "");
			break;
		}
		rest->rc = buf_append_text(&rest->line, before);
		if (rest->rc == 0)
			rest->rc = json_append_string(&rest->line, text ? text : "",
						      text ? strlen(text) : 0);
		before = ", ";
	}
	if (rest->rc == 0 && *before == ',')
		rest->rc = buf_append_text(&rest->line, "]");
	end_line(rest);
}

static int add_rest(const struct json *config, struct instructions *t, struct buf *out)
{
	struct rest rest = {.config = config, .t = t, .out = out};

	instructions_end(t);
	buf_init(&rest.line, out->max);
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
	buf_release(&rest.line);
	return rest.rc;
}

/* ALL OF IT */

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
		rc = buf_append_text(out, "# no step is told for it\n");
	return rc;
}

/* No reference or digest is as long. */
#define BASE_MAX 512

static bool is_base(const char *text)
{
	return text && strlen(text) < BASE_MAX;
}

static int add_head(const char *name, const struct json *config, struct buf *out)
{
	const struct json *labels = json_member(config, "Labels");
	const char *base, *digest;
	struct buf line;
	int rc;

	base = json_member_string(labels, "org.opencontainers.image.base.name");
	digest = json_member_string(labels, "org.opencontainers.image.base.digest");
	buf_init(&line, out->max);
	rc = buf_printf(&line, "# A reconstruction, from the history and config of %s;",
			name);
	if (rc == 0)
		rc = append_line(out, buf_text(&line), line.len);
	if (rc == 0)
		rc = buf_append_text(out,
				     "# the file that it was built with is not known.\n");
	buf_clear(&line);
	if (rc == 0 && is_base(base))
		rc = buf_printf(
			&line, "# Base image, whose steps are among these: %s%s%s", base,
			is_base(digest) ? "@" : "", is_base(digest) ? digest : "");
	if (rc == 0 && line.len > 0)
		rc = append_line(out, buf_text(&line), line.len);
	buf_release(&line);
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
		rc = add_rest(config, &t, out);
	instructions_release(&t);
	return rc;
}
