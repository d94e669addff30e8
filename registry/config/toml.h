/* SPDX-License-Identifier: MIT */
/*
 * TOML as registries.conf and hosts.toml are written in it: a stream of events, no
 * tree. Foreign text; pure.
 */
#ifndef REGISTRY_CONFIG_TOML_H
#define REGISTRY_CONFIG_TOML_H

#include <stdbool.h>
#include <stddef.h>

struct err;

/* Words of a path, tables and the key together: the files read here need four. */
#define TOML_DEPTH_MAX 8
/* Of one word or string. */
#define TOML_TEXT_MAX 4096

enum toml_what {
	TOML_TABLE,	/* [path], or the start of an inline table */
	TOML_NEW_TABLE, /* [[path]], or an inline table in an array: one more of them */
	TOML_STRING,
	TOML_BOOL,
	TOML_OTHER, /* a number or date, as text */
};

struct toml_item {
	enum toml_what what;
	const char *const *path; /* for a value its key is the last word */
	size_t depth;
	size_t at; /* position in the array the value is in, else 0 */
	const char *text;
	bool truth; /* of TOML_BOOL */
};

/* Anything but 0 ends the parse with that value. All of the item is borrowed. */
typedef int toml_fn(void *arg, const struct toml_item *item);

/* 0, what @fn returned, or -EBADMSG with a sentence that has the line. */
int toml_parse(const char *text, size_t len, toml_fn *fn, void *arg, struct err *e);

/* Is the path of @item these @n words? */
bool toml_is(const struct toml_item *item, size_t n, ...);

#endif
