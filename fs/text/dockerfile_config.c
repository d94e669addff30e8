/* SPDX-License-Identifier: MIT */
#include "fs/text/dockerfile_config.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "fs/text/dockerfile_line.h"
#include "fs/text/instructions.h"
#include "registry/image/image.h"

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

int dockerfile_config_append(const struct json *config, struct instructions *t,
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
