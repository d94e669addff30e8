/* SPDX-License-Identifier: MIT */
/*
 * A config has room for hundreds of thousands of variables or steps, so they are looked up
 * among sorted hashes. The author of an image who finds two texts with the same hash gains
 * a missing line, or quotes around a value: another config could do the same.
 */
#include "fs/text/instructions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/hash.h"
#include "base/json.h"
#include "fs/text/go_values.h"

#define SHELL "/bin/sh -c"

/*
 * Of a word; of a variable, label, port or trigger, @key; or of it and its value. What is NULL
 * is not hashed.
 */
static uint64_t hash_of(const char *word, const char *key, size_t len, const char *value)
{
	struct hash h;

	hash_init(&h, 0, 0);
	hash_bytes(&h, word, strlen(word));
	if (key)
		hash_bytes(&h, key, len);
	if (value)
		hash_bytes(&h, value, strlen(value));
	return hash_end(&h);
}

/* "KEY=VALUE", or "KEY" alone. */
static uint64_t hash_text(const char *word, const char *pair)
{
	size_t len = strcspn(pair, "=");

	return hash_of(word, pair, len, pair[len] ? pair + len + 1 : NULL);
}

static int compare_hashes(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static int hash_set_add(struct hash_set *set, uint64_t h)
{
	int rc = array_grow(&set->list, set->n, sizeof(*set->list));

	if (rc == 0)
		set->list[set->n++] = h;
	return rc;
}

static void hash_set_sort(struct hash_set *set)
{
	if (set->n > 0)
		qsort(set->list, set->n, sizeof(*set->list), compare_hashes);
}

static bool hash_set_has(const struct hash_set *set, uint64_t h)
{
	return set->n > 0 &&
	       bsearch(&h, set->list, set->n, sizeof(*set->list), compare_hashes);
}

/* "80" and "80/tcp" are the same port. */
static size_t port_len(const char *port, size_t len)
{
	return len > 4 && strncmp(port + len - 4, "/tcp", 4) == 0 ? len - 4 : len;
}

/* The keys A and c of `A=b c="d e"`. The first may have blanks in it, or no value: "A b". */
static int add_pairs(struct hash_set *given, const char *word, const char *p)
{
	int rc = hash_set_add(given, hash_of(word, p, strcspn(p, "="), NULL));
	bool is_first = true, is_quoted;
	size_t len;

	while (rc == 0 && *(p += strspn(p, " "))) {
		len = strcspn(p, "= ");
		if (is_first || p[len] == '=')
			rc = hash_set_add(given, hash_of(word, p, len, NULL));
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

static int add_ports(struct hash_set *given, const char *word, const char *p)
{
	size_t len;
	int rc = 0;

	for (; rc == 0 && *(p += strspn(p, " ")); p += len) {
		len = strcspn(p, " ");
		rc = hash_set_add(given, hash_of(word, p, port_len(p, len), NULL));
	}
	return rc;
}

/* More than any shell needs: each RUN is searched for it. */
#define SHELL_MAX 4096

/* SHELL sets the shell for the steps after it. */
static int set_shell(struct instructions *t, const char *argument)
{
	int rc;

	buf_clear(&t->shell);
	rc = go_values_words(argument, &t->shell);
	if (rc == -E2BIG)
		buf_clear(&t->shell);
	return rc == -E2BIG ? 0 : rc;
}

int instructions_add(struct instructions *t, const char *word, const char *argument)
{
	int rc = hash_set_add(&t->given, hash_of(word, NULL, 0, NULL));

	if (rc < 0)
		return rc;
	if (strcmp(word, "ENV") == 0 || strcmp(word, "LABEL") == 0)
		return add_pairs(&t->given, word, argument);
	if (strcmp(word, "EXPOSE") == 0)
		return add_ports(&t->given, word, argument);
	if (strcmp(word, "ONBUILD") == 0)
		return hash_set_add(&t->given,
				    hash_of(word, argument, strlen(argument), NULL));
	return strcmp(word, "SHELL") == 0 ? set_shell(t, argument) : 0;
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
			rc = hash_set_add(&t->config_pairs, hash_text("ENV", text));
	}
	for (i = 0; rc == 0 && i < json_count(labels); i++) {
		key = json_key(labels, i);
		text = json_string(json_value(labels, i));
		if (key && text)
			rc = hash_set_add(&t->config_pairs,
					  hash_of("LABEL", key, strlen(key), text));
	}
	hash_set_sort(&t->config_pairs);
	return rc;
}

void instructions_release(struct instructions *t)
{
	buf_release(&t->shell);
	free(t->config_pairs.list);
	free(t->given.list);
}

void instructions_sort(struct instructions *t)
{
	hash_set_sort(&t->given);
}

bool instructions_is_config_pair(const struct instructions *t, const char *word,
				 const char *pair)
{
	return hash_set_has(&t->config_pairs, hash_text(word, pair));
}

bool instructions_has_word(const struct instructions *t, const char *word)
{
	return hash_set_has(&t->given, hash_of(word, NULL, 0, NULL));
}

bool instructions_has_key(const struct instructions *t, const char *word, const char *key,
			  size_t len)
{
	if (strcmp(word, "EXPOSE") == 0)
		len = port_len(key, len);
	return hash_set_has(&t->given, hash_of(word, key, len, NULL));
}
