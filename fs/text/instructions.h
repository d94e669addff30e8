/* SPDX-License-Identifier: MIT */
/*
 * The instructions that the steps of a history have given so far, for what remains of the
 * config after them. A word is an instruction's name: ENV, LABEL, EXPOSE.
 */
#ifndef FS_TEXT_INSTRUCTIONS_H
#define FS_TEXT_INSTRUCTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct json;

/* To be sorted before it is searched. */
struct hash_set {
	uint64_t *list;
	size_t n;
};

struct instructions {
	struct buf shell; /* that runs the text of RUN; "/bin/sh -c" at first */
	struct hash_set config_pairs; /* variables and labels of the config */
	struct hash_set given;
};

/*
 * @config: the part "config" of the image's config, or NULL. 0 or -ENOMEM; call
 * instructions_release() in any case.
 */
int instructions_init(struct instructions *t, const struct json *config);
void instructions_release(struct instructions *t);
/* Adds an instruction that is not RUN: its word and its argument. 0 or -ENOMEM. */
int instructions_add(struct instructions *t, const char *word, const char *argument);
/* Whether the config has exactly the variable or label "KEY=VALUE". */
bool instructions_is_config_pair(const struct instructions *t, const char *word,
				 const char *pair);

/* Call it once between the last instructions_add() and the following. */
void instructions_sort(struct instructions *t);
/* Whether any instruction has this word. */
bool instructions_has_word(const struct instructions *t, const char *word);
/* Whether an instruction has this variable, label, port or trigger. */
bool instructions_has_key(const struct instructions *t, const char *word, const char *key,
			  size_t len);

#endif
