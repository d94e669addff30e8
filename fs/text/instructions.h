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

struct telling {
	struct buf shell;    /* what RUN is given to, "/bin/sh -c" at first */
	struct hashes pairs; /* the variables and labels of the config */
	struct hashes told;  /* what the steps so far have said */
};

/* @config is the part "config" of the image's config, or NULL. Release it in any case. */
int telling_init(struct telling *t, const struct json *config);
void telling_release(struct telling *t);
/* A step that is no RUN: its word, and what stands behind that. 0 or -ENOMEM. */
int telling_note(struct telling *t, const char *word, const char *argument);
/* Is "KEY=VALUE" one of the config's, as it stands? */
bool telling_has_pair(const struct telling *t, const char *word, const char *pair);

/* There are no more steps; then: */
void telling_end(struct telling *t);
/* Was there such a step at all? */
bool telling_has_step(const struct telling *t, const char *word);
/* Did one tell this variable, label, port or trigger? */
bool telling_has(const struct telling *t, const char *word, const char *key, size_t len);

#endif
