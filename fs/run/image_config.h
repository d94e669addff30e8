/* SPDX-License-Identifier: MIT */
/* What the config of an image says about the program to run (OCI image spec, config.md). */
#ifndef FS_RUN_IMAGE_CONFIG_H
#define FS_RUN_IMAGE_CONFIG_H

#include <stddef.h>

struct err;
struct json;

/* A list of texts; @items ends with a NULL, or is NULL if there are none. */
struct strings {
	char **items;
	size_t n;
};

struct image_config {
	struct strings env;	   /* NAME=VALUE */
	struct strings entrypoint; /* the words before those of cmd */
	struct strings cmd;
	char *workdir;	/* NULL: not given */
	char *user;	/* the same; as account_find() takes it */
	char *platform; /* OS/ARCH for messages; never NULL */
};

/* 0, or -ENOMEM and the list is as it was. */
int strings_add(struct strings *t, const char *text);
void strings_release(struct strings *t);

/*
 * Parses a config. -EBADMSG and a sentence for what is none, -ENOMEM. Values of a wrong type
 * count as not given. Call image_config_release() in any case.
 */
int image_config_parse(struct image_config *c, const char *data, size_t len,
		       struct err *e);
void image_config_release(struct image_config *c);

#endif
