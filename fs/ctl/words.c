/* SPDX-License-Identifier: MIT */
#include "fs/ctl/words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "fs/options/options.h"

static const struct word_flag *find_letter(const struct word_flag *f, char letter)
{
	for (; f->letter || f->name; f++) {
		if (f->letter == letter)
			return f;
	}
	return NULL;
}

static const struct word_flag *find_name(const struct word_flag *f, const char *name,
					 size_t len)
{
	for (; f->letter || f->name; f++) {
		if (f->name && strlen(f->name) == len && memcmp(f->name, name, len) == 0)
			return f;
	}
	return NULL;
}

static int give_value(const struct word_flag *f, const char *value, struct err *e)
{
	const char **items;

	if (!f->all) {
		*f->value = value;
		return 0;
	}
	items = realloc(f->all->items, (f->all->n + 2) * sizeof(*items));
	if (!items)
		return err_set(e, -ENOMEM, "out of memory");
	items[f->all->n++] = value;
	items[f->all->n] = NULL;
	f->all->items = items;
	return 0;
}

/* --name, --name=VALUE or --name VALUE; *next is the word after it. */
static int read_name(const char *word, const struct word_flag *flags, char ***next,
		     struct err *e)
{
	size_t len = strcspn(word + 2, "=");
	const char *value = word[2 + len] ? word + 2 + len + 1 : NULL;
	const struct word_flag *f = find_name(flags, word + 2, len);

	if (!f)
		return err_set(e, -EINVAL, "unknown option %s", word);
	if (f->on && value)
		return err_set(e, -EINVAL, "option --%s takes no value", f->name);
	if (f->on) {
		*f->on = true;
		return 0;
	}
	if (!value)
		value = *(*next)++;
	if (!value)
		return err_set(e, -EINVAL, "option --%s needs a value", f->name);
	return give_value(f, value, e);
}

/* The letters of one word; the last may take the rest of it, or the next, as its value. */
static int read_letters(struct words *w, const char *word, const struct word_flag *flags,
			char ***next, struct err *e)
{
	const struct word_flag *f;
	const char *p = word + 1;
	char *value;

	for (; *p; p++) {
		f = find_letter(flags, *p);
		if (!f && *p == 'v') {
			w->verbose = true;
			continue;
		}
		if (f && f->on) {
			*f->on = true;
			continue;
		}
		if (!f && *p != 'o')
			return err_set(e, -EINVAL, "unknown option -%c", *p);
		value = p[1] ? (char *)p + 1 : *(*next)++;
		if (!value)
			return err_set(e, -EINVAL, "option -%c needs a value", *p);
		/* docker and podman take -v=VALUE, too. */
		if (f)
			return give_value(f, value + (p[1] == '='), e);
		w->lists[w->n_lists++] = value;
		break;
	}
	return 0;
}

static int parse(struct words *w, char **words, const struct word_flag *flags,
		 bool is_command, struct err *e)
{
	bool only_operands = false;
	size_t n = 0;
	char *word;
	int rc = 0;

	while (words[n])
		n++;
	*w = (struct words){
		.operands = calloc(n + 1, sizeof(char *)),
		.lists = calloc(n + 1, sizeof(char *)),
	};
	if (!w->operands || !w->lists)
		return err_set(e, -ENOMEM, "out of memory");
	while (rc == 0 && (word = *words++)) {
		if (only_operands || word[0] != '-' || word[1] == '\0') {
			w->operands[w->n_operands++] = word;
			only_operands |= is_command;
		} else if (strcmp(word, "--") == 0) {
			only_operands = true;
		} else if (word[1] == '-') {
			rc = read_name(word, flags, &words, e);
		} else {
			rc = read_letters(w, word, flags, &words, e);
		}
	}
	return rc;
}

int words_parse(struct words *w, char **words, const struct word_flag *flags,
		struct err *e)
{
	return parse(w, words, flags, false, e);
}

int words_parse_command(struct words *w, char **words, const struct word_flag *flags,
			struct err *e)
{
	return parse(w, words, flags, true, e);
}

void words_release(struct words *w)
{
	free(w->operands);
	free(w->lists);
	memset(w, 0, sizeof(*w));
}

int words_add(const struct words *w, char *options, struct words *out)
{
	*out = *w;
	out->lists = calloc(w->n_lists + 2, sizeof(*out->lists));
	if (!out->lists)
		return -ENOMEM;
	memcpy(out->lists, w->lists, w->n_lists * sizeof(*out->lists));
	out->lists[out->n_lists++] = options;
	return 0;
}

void words_release_added(struct words *w)
{
	free(w->lists);
}

/* A command line of peelfs. What concerns a mount alone is parsed, and has no effect. */
int words_options(const struct words *w, const char *source, struct options *out,
		  struct err *e)
{
	char name[] = "peelctl", flag[] = "-o", end[] = "--", nowhere[] = "/";
	char **argv = calloc(2 * w->n_lists + 5, sizeof(char *));
	int rc, argc = 0;
	size_t i;

	memset(out, 0, sizeof(*out));
	if (!argv)
		return err_set(e, -ENOMEM, "out of memory");
	argv[argc++] = name;
	for (i = 0; i < w->n_lists; i++) {
		argv[argc++] = flag;
		argv[argc++] = w->lists[i];
	}
	argv[argc++] = end;
	argv[argc++] = (char *)source;
	argv[argc++] = nowhere;
	rc = options_parse(out, argc, argv, false, e);
	out->layout = LAYOUT_IMAGE;
	out->erofs = false;
	out->verbose = w->verbose;
	free(argv);
	return rc;
}
