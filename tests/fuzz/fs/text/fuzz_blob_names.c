/* SPDX-License-Identifier: MIT */
/* Any lines taken for titles; those that end in '*' are of packed blobs. */
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fs/text/blob_names.h"
#include "registry/image/descriptor.h"

#define BLOBS_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct annotation annotations[BLOBS_MAX][2];
static struct descriptor blobs[BLOBS_MAX];

static size_t take_lines(char *text)
{
	static char title[] = "org.opencontainers.image.title";
	static char unpack[] = "io.deis.oras.content.unpack", yes[] = "true";
	char *line, *rest = text;
	size_t n = 0;

	while (n < BLOBS_MAX && (line = strsep(&rest, "\n"))) {
		size_t len = strlen(line);

		annotations[n][0] = (struct annotation){title, line};
		annotations[n][1] = (struct annotation){unpack, yes};
		blobs[n] = (struct descriptor){.annotations = annotations[n],
					       .n_annotations = 1};
		if (len > 0 && line[len - 1] == '*') {
			line[len - 1] = '\0';
			blobs[n].n_annotations = 2;
		}
		n++;
	}
	return n;
}

static void must_be_name(const char *name)
{
	if (!name[0] || strlen(name) > NAME_MAX || strchr(name, '/') ||
	    strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		abort();
}

struct place {
	uint32_t dir;
	const char *name;
};

static int compare(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return x->dir != y->dir ? (x->dir < y->dir ? -1 : 1) : strcmp(x->name, y->name);
}

/* Every name is one, and the only one in its directory. */
static void check(const struct blob_names *t)
{
	static struct place places[2 * BLOBS_MAX + BLOB_NAMES_DIRS_MAX];
	size_t i, n = 0;

	for (i = 0; i < t->n_dirs; i++) {
		if (t->dirs[i].parent > i)
			abort();
		places[n++] = (struct place){t->dirs[i].parent, t->dirs[i].name};
	}
	for (i = 0; i < t->n; i++) {
		if (t->list[i].dir > t->n_dirs)
			abort();
		places[n++] = (struct place){t->list[i].dir, t->list[i].file};
		if (t->list[i].packed)
			places[n++] = (struct place){t->list[i].dir, t->list[i].packed};
	}
	qsort(places, n, sizeof(places[0]), compare);
	for (i = 0; i < n; i++) {
		must_be_name(places[i].name);
		if (i > 0 && compare(&places[i - 1], &places[i]) == 0)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct blob_names t;
	size_t n;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	n = take_lines(text);
	if (blob_names_make(blobs, n, &t) == 0) {
		if (t.n != n)
			abort();
		check(&t);
	}
	blob_names_release(&t);
	free(text);
	return 0;
}
