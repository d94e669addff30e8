/* SPDX-License-Identifier: MIT */
/*
 * A config has room for hundreds of thousands of variables, or of steps. So what was told
 * is looked up among sorted hashes. Whoever makes two texts of one hash has a line left out,
 * or quotes around a value: no more than by writing another config.
 */
#include "fs/text/instructions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/json.h"
#include "fs/text/go_values.h"

#define SHELL "/bin/sh -c"

static uint64_t hash_of_step(const char *word)
{
	struct hash h;

	hash_init(&h, 0, 0);
	hash_bytes(&h, word, strlen(word));
	return hash_end(&h);
}

/* Of a variable, label, port or trigger. */
static uint64_t hash_of(const char *word, const char *text, size_t len)
{
	struct hash h;

	hash_init(&h, 0, 0);
	hash_bytes(&h, word, strlen(word));
	hash_bytes(&h, text, len);
	return hash_end(&h);
}

static uint64_t hash_of_pair(const char *word, const char *key, size_t len,
			     const char *value)
{
	struct hash h;

	hash_init(&h, 0, 0);
	hash_bytes(&h, word, strlen(word));
	hash_bytes(&h, key, len);
	hash_bytes(&h, value, strlen(value));
	return hash_end(&h);
}

/* "KEY=VALUE", or "KEY" alone. */
static uint64_t hash_of_text(const char *word, const char *pair)
{
	size_t len = strcspn(pair, "=");

	return pair[len] ? hash_of_pair(word, pair, len, pair + len + 1)
			 : hash_of(word, pair, len);
}

static int compare_hashes(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static int hashes_add(struct hashes *set, uint64_t h)
{
	size_t room = set->room ? set->room * 2 : 64;
	uint64_t *p;

	if (set->n == set->room) {
		p = realloc(set->list, room * sizeof(*p));
		if (!p)
			return -ENOMEM;
		set->list = p;
		set->room = room;
	}
	set->list[set->n++] = h;
	return 0;
}

static void hashes_sort(struct hashes *set)
{
	if (set->n > 0)
		qsort(set->list, set->n, sizeof(*set->list), compare_hashes);
}

static bool hashes_have(const struct hashes *set, uint64_t h)
{
	return set->n > 0 &&
	       bsearch(&h, set->list, set->n, sizeof(*set->list), compare_hashes);
}

/* A port is of TCP if nothing is said. */
static size_t port_len(const char *port, size_t len)
{
	return len > 4 && strncmp(port + len - 4, "/tcp", 4) == 0 ? len - 4 : len;
}

/* "A=b c="d e"": A and c. The first may have blanks in it, or no value: "A b". */
static int note_pairs(struct hashes *told, const char *word, const char *p)
{
	int rc = hashes_add(told, hash_of(word, p, strcspn(p, "=")));
	bool is_first = true, is_quoted;
	size_t len;

	while (rc == 0 && *(p += strspn(p, " "))) {
		len = strcspn(p, "= ");
		if (is_first || p[len] == '=')
			rc = hashes_add(told, hash_of(word, p, len));
		is_first = false;
		for (is_quoted = false; *p && (*p != ' ' || is_quoted); p++) {
			if (*p == '"')
				is_quoted = !is_quoted;
			else if (*p == '\\' && p[1])
				p++;
		}
	}
	return rc;
}

static int note_ports(struct hashes *told, const char *word, const char *p)
{
	size_t len;
	int rc = 0;

	for (; rc == 0 && *(p += strspn(p, " ")); p += len) {
		len = strcspn(p, " ");
		rc = hashes_add(told, hash_of(word, p, port_len(p, len)));
	}
	return rc;
}

/* Longer than any: each RUN looks for it. */
#define SHELL_MAX 4096

/* A step that is SHELL says what the next ones are given to. */
static int note_shell(struct instructions *t, const char *argument)
{
	int rc;

	buf_clear(&t->shell);
	rc = go_values_words(argument, &t->shell);
	if (rc == -E2BIG)
		buf_clear(&t->shell);
	return rc == -E2BIG ? 0 : rc;
}

int instructions_note(struct instructions *t, const char *word, const char *argument)
{
	int rc = hashes_add(&t->told, hash_of_step(word));

	if (rc < 0)
		return rc;
	if (strcmp(word, "ENV") == 0 || strcmp(word, "LABEL") == 0)
		return note_pairs(&t->told, word, argument);
	if (strcmp(word, "EXPOSE") == 0)
		return note_ports(&t->told, word, argument);
	if (strcmp(word, "ONBUILD") == 0)
		return hashes_add(&t->told, hash_of(word, argument, strlen(argument)));
	return strcmp(word, "SHELL") == 0 ? note_shell(t, argument) : 0;
}

int instructions_init(struct instructions *t, const struct json *config)
{
	const struct json *env = json_member(config, "Env");
	const struct json *labels = json_member(config, "Labels");
	const char *key, *text;
	size_t i;
	int rc;

	memset(t, 0, sizeof(*t));
	buf_init(&t->shell, SHELL_MAX);
	rc = buf_append_text(&t->shell, SHELL);
	for (i = 0; rc == 0 && i < json_count(env); i++) {
		text = json_string(json_item(env, i));
		if (text)
			rc = hashes_add(&t->pairs, hash_of_text("ENV", text));
	}
	for (i = 0; rc == 0 && i < json_count(labels); i++) {
		key = json_key(labels, i);
		text = json_string(json_value(labels, i));
		if (key && text)
			rc = hashes_add(&t->pairs,
					hash_of_pair("LABEL", key, strlen(key), text));
	}
	hashes_sort(&t->pairs);
	return rc;
}

void instructions_release(struct instructions *t)
{
	buf_release(&t->shell);
	free(t->pairs.list);
	free(t->told.list);
}

void instructions_end(struct instructions *t)
{
	hashes_sort(&t->told);
}

bool instructions_has_pair(const struct instructions *t, const char *word,
			   const char *pair)
{
	return hashes_have(&t->pairs, hash_of_text(word, pair));
}

bool instructions_has_step(const struct instructions *t, const char *word)
{
	return hashes_have(&t->told, hash_of_step(word));
}

bool instructions_has(const struct instructions *t, const char *word, const char *key,
		      size_t len)
{
	if (strcmp(word, "EXPOSE") == 0)
		len = port_len(key, len);
	return hashes_have(&t->told, hash_of(word, key, len));
}
