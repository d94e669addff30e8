/* SPDX-License-Identifier: MIT */
/* Filling a store with whole images: what `peelctl cache warm` and `cache export` share. */
#ifndef FS_CTL_FILL_H
#define FS_CTL_FILL_H

#include <stdbool.h>
#include <stddef.h>

struct err;
struct options;
struct words;

struct fill {
	const char *command; /* for messages */
	const struct words
		*words; /* the options, and the images as operands from @first on */
	size_t first;
	bool index_only; /* manifests, configs and indexes */
	/* Changes the options of each image, unless NULL. 0, or a negative errno. */
	int (*prepare)(void *arg, struct options *o, struct err *e);
	void *arg;
};

/*
 * Loads every image, and reads every byte of its layers, so that the store has all of it;
 * with a progress bar if stderr is a terminal. Prints a line for each image. The exit
 * status: 1 if something is not in the store; the images behind it are loaded anyway.
 */
int fill_images(const struct fill *f);

#endif
