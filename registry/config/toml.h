/* SPDX-License-Identifier: MIT */
/* The part of TOML that registries.conf and hosts.toml use, as a stream of events. */
#ifndef REGISTRY_CONFIG_TOML_H
#define REGISTRY_CONFIG_TOML_H

#include <stdbool.h>
#include <stddef.h>

struct err;

/* Words of a path, tables and key together; these files need four. */
#define TOML_DEPTH_MAX 8
/* Of one word or string. */
#define TOML_TEXT_MAX 4096

enum toml_what {
	TOML_TABLE,	/* [path], or the start of an inline table */
	TOML_NEW_TABLE, /* [[path]], or an inline table in an array */
	TOML_STRING,
	TOML_BOOL,
	TOML_OTHER, /* a number or date, as text */
};

struct toml_item {
	enum toml_what what;
	const char *const *path; /* of a value, the key is the last word */
	size_t depth;
	size_t at; /* position in the array around the value, else 0 */
	const char *text;
	bool truth; /* of TOML_BOOL */
};

/* A return value but 0 ends the parse with it. The whole item is borrowed. */
typedef int toml_fn(void *arg, const struct toml_item *item);

/* 0, what @fn returned, or -EBADMSG with a sentence that names the line. */
int toml_parse(const char *text, size_t len, toml_fn *fn, void *arg, struct err *e);

/* Whether the path of @item consists of these @n words. */
bool toml_is(const struct toml_item *item, size_t n, ...);

#endif
