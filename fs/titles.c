/* SPDX-License-Identifier: MIT */
#include "fs/titles.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "registry/image.h"

/* Of the digest, as in layers/. */
#define HEX_LEN 12

bool title_clean(const char *text, char *name)
{
	size_t i, len = strlen(text);

	if (len > NAME_MAX) {
		len = NAME_MAX;
		while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
			len--; /* the middle of a character in UTF-8 */
	}
	for (i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		name[i] = c < ' ' || c == 0x7f || c == '/' ? '_' : (char)c;
	}
	name[len] = '\0';
	return len > 0 && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), n = strlen(end);

	return len >= n && strcmp(text + len - n, end) == 0;
}

static const char *extension(const char *media_type)
{
	static const struct {
		const char *end, *extension;
	} table[] = {
		{".tar+gzip", ".tar.gz"},  {".tar.gzip", ".tar.gz"},
		{".tar+zstd", ".tar.zst"}, {".tar", ".tar"},
		{"json", ".json"},	   {"wasm", ".wasm"},
		{"+xml", ".xml"},	   {"text/plain", ".txt"},
		{"+yaml", ".yaml"},
	};
	size_t i;

	for (i = 0; media_type && i < sizeof(table) / sizeof(table[0]); i++) {
		if (ends_with(media_type, table[i].end))
			return table[i].extension;
	}
	return "";
}

static bool is_taken(char *const *names, size_t n, const char *name)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (strcmp(names[i], name) == 0)
			return true;
	}
	return false;
}

/* Of blob @i, where those before it have their names. NULL: no memory. */
static char *make_title(const struct descriptor *d, size_t i, char *const *names)
{
	const char *title = descriptor_annotation(d, "org.opencontainers.image.title");
	const char *end = extension(d->media_type);
	char name[NAME_MAX + 1], hex[DIGEST_TEXT_MAX];
	size_t again = 0;

	if (title && title_clean(title, name) && !is_taken(names, i, name))
		return strdup(name);
	digest_hex(&d->digest, hex);
	snprintf(name, sizeof(name), "%zu-%.*s%s", i + 1, HEX_LEN, hex, end);
	/* Others may be called so; but not more often than there are others. */
	while (is_taken(names, i, name))
		snprintf(name, sizeof(name), "%zu-%.*s-%zu%s", i + 1, HEX_LEN, hex,
			 ++again, end);
	return strdup(name);
}

int titles_make(const struct descriptor *blobs, size_t n, char ***out)
{
	char **names = calloc(n + 1, sizeof(*names));
	size_t i;

	if (!names)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		names[i] = make_title(&blobs[i], i, names);
		if (!names[i]) {
			titles_free(names, i);
			return -ENOMEM;
		}
	}
	*out = names;
	return 0;
}

void titles_free(char **titles, size_t n)
{
	size_t i;

	for (i = 0; titles && i < n; i++)
		free(titles[i]);
	free(titles);
}
