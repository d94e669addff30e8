/* SPDX-License-Identifier: MIT */
#include "fs/text/titles.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/control.h"
#include "base/digest.h"
#include "registry/image/image.h"

/* Digits of a digest in a name. */
#define HEX_LEN 12

const char *title_of_layer(const struct image *img, uint32_t i, char *out)
{
	char hex[DIGEST_TEXT_MAX];

	snprintf(out, LAYER_TITLE_MAX, "%u-%.*s", i + 1, HEX_LEN,
		 digest_hex(&img->layers[i].digest, hex));
	return out;
}

bool title_clean(const char *text, char *name)
{
	size_t n, len = strlen(text);
	const char *end;
	char *to = name;

	if (len > NAME_MAX) {
		len = NAME_MAX;
		while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
			len--; /* the middle of a character in UTF-8 */
	}
	for (end = text + len; text < end; text += n ? n : 1) {
		n = control_len(text, end, NULL);
		*to++ = n || *text == '/' ? '_' : *text;
	}
	*to = '\0';
	return len > 0 && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

/* By text, then by position in the list. */
static int compare_names(const void *a, const void *b)
{
	char *const *x = *(char **const *)a, *const *y = *(char **const *)b;
	int order = strcmp(*x, *y);

	return order ? order : x < y ? -1 : x > y;
}

/* @digits: of the digest, behind the platform. */
static int name_platform(const struct descriptor *d, int digits, char **out)
{
	char name[NAME_MAX + 1], hex[DIGEST_TEXT_MAX], platform[PLATFORM_TEXT_MAX];

	free(*out);
	platform_format(&d->platform, '-', platform);
	snprintf(name, sizeof(name), "%s%s%.*s", platform, digits ? "-" : "", digits,
		 digest_hex(&d->digest, hex));
	*out = strdup(name);
	return *out ? 0 : -ENOMEM;
}

/* A name that is equal to one before it gets @digits of its digest. */
static int make_unique(const struct descriptor *images, char **names, char ***sorted,
		       size_t n, int digits)
{
	size_t i, first = 0;
	int rc = 0;

	qsort(sorted, n, sizeof(*sorted), compare_names);
	for (i = 1; rc == 0 && i < n; i++) {
		if (strcmp(*sorted[i], *sorted[first]) != 0)
			first = i;
		else
			rc = name_platform(&images[sorted[i] - names], digits, sorted[i]);
	}
	return rc;
}

/*
 * The whole digest makes every name unique: no part of a platform is as long, so no name
 * without a digest can be equal to it.
 */
int titles_of_platforms(const struct descriptor *images, size_t n, char ***out)
{
	char **names = calloc(n + 1, sizeof(*names));
	char ***sorted = calloc(n + 1, sizeof(*sorted));
	int rc = names && sorted ? 0 : -ENOMEM;
	size_t i;

	for (i = 0; rc == 0 && i < n; i++) {
		sorted[i] = &names[i];
		rc = name_platform(&images[i], 0, &names[i]);
	}
	if (rc == 0)
		rc = make_unique(images, names, sorted, n, HEX_LEN);
	if (rc == 0)
		rc = make_unique(images, names, sorted, n, DIGEST_TEXT_MAX);
	free(sorted);
	if (rc < 0)
		titles_free(names, n);
	else
		*out = names;
	return rc;
}

void titles_free(char **titles, size_t n)
{
	size_t i;

	for (i = 0; titles && i < n; i++)
		free(titles[i]);
	free(titles);
}
