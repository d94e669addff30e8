/* SPDX-License-Identifier: MIT */
/*
 * What the steps of a history have told of a config, so that what no step told can be said
 * behind them; for fs/dockerfile.c. Words are those of instructions: ENV, LABEL, EXPOSE.
 */
#ifndef FS_TEXT_INSTRUCTIONS_H
#define FS_TEXT_INSTRUCTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct json;

/* A set, to be sorted before it is searched. */
struct hashes {
	uint64_t *list;
	size_t n, room;
};

struct instructions {
	struct buf shell;    /* what RUN is given to, "/bin/sh -c" at first */
	struct hashes pairs; /* the variables and labels of the config */
	struct hashes told;  /* what the steps so far have said */
};

/* @config is the part "config" of the image's config, or NULL. Release it in any case. */
int instructions_init(struct instructions *t, const struct json *config);
void instructions_release(struct instructions *t);
/* A step that is no RUN: its word, and what stands behind that. 0 or -ENOMEM. */
int instructions_note(struct instructions *t, const char *word, const char *argument);
/* Is "KEY=VALUE" one of the config's, as it stands? */
bool instructions_has_pair(const struct instructions *t, const char *word,
			   const char *pair);

/* There are no more steps; then: */
void instructions_end(struct instructions *t);
/* Was there such a step at all? */
bool instructions_has_step(const struct instructions *t, const char *word);
/* Did one tell this variable, label, port or trigger? */
bool instructions_has(const struct instructions *t, const char *word, const char *key,
		      size_t len);

#endif
