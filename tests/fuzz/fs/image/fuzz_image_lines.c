/* SPDX-License-Identifier: MIT */
/* Any text taken for a list of images, below a registry if it begins with one and "|". */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "fs/image/image_lines.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The name of an image is a line that gives the same name. */
static void must_be_name(const struct reference *r, const char *prefix)
{
	char name[REFERENCE_TEXT_MAX], again[REFERENCE_TEXT_MAX];
	struct reference other;
	struct err e;

	image_lines_name(r, name);
	if (image_lines_parse(name, prefix, &other, &e) != 0 ||
	    strcmp(image_lines_name(&other, again), name) != 0 ||
	    strpbrk(name, "# \t\r\n"))
		abort();
	if (strncmp(name, prefix, strlen(prefix)) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct image_lines it = {.prefix = ""};
	unsigned line = 0, n = 0;
	struct reference r;
	char *text, *mark;
	struct err e;
	int rc;

	/* Exactly as large as it is, so that a read behind its end is found. */
	text = malloc(size ? size : 1);
	if (!text)
		return 0;
	memcpy(text, data, size);
	it.text = text;
	it.len = size;
	mark = memchr(text, '|', size < 100 ? size : 100);
	if (mark) {
		*mark = '\0';
		it.prefix = text;
		it.text = mark + 1;
		it.len -= (size_t)(it.text - text);
	}
	while ((rc = image_lines_next(&it, &r, &e)) != 0) {
		if (it.line <= line)
			abort();
		line = it.line;
		n += rc == 1;
		if (rc == 1)
			must_be_name(&r, it.prefix);
	}
	if (n != it.n || n > IMAGE_LINES_MAX || it.pos != it.len)
		abort();
	free(text);
	return 0;
}
