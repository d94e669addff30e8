/* SPDX-License-Identifier: MIT */
/*
 * The words of a command that reads images: its own flags, the options of peelfs, and
 * operands, in any order. "--" ends the flags.
 */
#ifndef FS_CTL_WORDS_H
#define FS_CTL_WORDS_H

#include <stdbool.h>
#include <stddef.h>

struct err;
struct options;

/*
 * A flag of the command. With a value: -xVALUE, -x VALUE, -x=VALUE, --name=VALUE,
 * --name VALUE.
 */
struct word_flag {
	char letter;	       /* '\0': it has none */
	const char *name;      /* after "--"; NULL: it has none */
	bool *on;	       /* becomes true; NULL if it takes a value */
	const char **value;    /* the last value, borrowed from the words */
	struct word_list *all; /* instead of the last: all values */
};

/* Values in their order. The caller frees the array. */
struct word_list {
	const char **items; /* up to a NULL; NULL if there are none */
	size_t n;
};

struct words {
	char **operands; /* up to a NULL */
	size_t n_operands;
	char **lists; /* of -o; private */
	size_t n_lists;
	bool verbose; /* -v */
};

/*
 * Splits @words, which is as ctl_command.run() gets it and must outlive @w. @flags ends with
 * an empty one; -o and -v are known. -EINVAL and a sentence, -ENOMEM. Call words_release()
 * in any case.
 */
int words_parse(struct words *w, char **words, const struct word_flag *flags,
		struct err *e);
/* The same, but the first operand ends the flags: what follows is another program's. */
int words_parse_command(struct words *w, char **words, const struct word_flag *flags,
			struct err *e);
void words_release(struct words *w);

/*
 * The words @w with one more list of options, which hold over the others; both must outlive
 * @out. -ENOMEM.
 */
int words_add(const struct words *w, char *options, struct words *out);
void words_release_added(struct words *w);

/*
 * The options of the words for the image @source, as those of a mount of it without a mount
 * point. -EINVAL and a sentence, -ENOMEM. Call options_release() in any case.
 */
int words_options(const struct words *w, const char *source, struct options *out,
		  struct err *e);

#endif
