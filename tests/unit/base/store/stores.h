/* SPDX-License-Identifier: MIT */
/* Stores in the test's own folder, and a look at their files. */
#ifndef TESTS_UNIT_BASE_STORE_STORES_H
#define TESTS_UNIT_BASE_STORE_STORES_H

#include <dirent.h>

#include "base/digest.h"
#include "base/err.h"
#include "base/store/store.h"
#include "tests/unit/place.h"
#include "tests/unit/test.h"

__attribute__((unused)) static struct store *open_store(const char *name)
{
	struct store *s = NULL;
	struct err e = {""};

	if (store_open(place_path(name), &s, &e) < 0) {
		printf("Bail out! %s\n", e.text);
		exit(1);
	}
	return s;
}

__attribute__((unused)) static struct digest digest_text(const char *text)
{
	struct digest d;

	if (digest_of(DIGEST_SHA256, text, strlen(text), &d) < 0)
		exit(77);
	return d;
}

/* The path of the only file below PLACE/@name. */
__attribute__((unused)) static const char *only_file(const char *name)
{
	static char path[PATH_MAX];
	struct dirent *d, *found;
	DIR *dir;

	snprintf(path, sizeof(path), "%s", place_path(name));
	while ((dir = opendir(path))) {
		found = NULL;
		while ((d = readdir(dir))) {
			if (d->d_name[0] != '.')
				found = d;
		}
		if (!found) {
			closedir(dir);
			return NULL;
		}
		snprintf(path + strlen(path), sizeof(path) - strlen(path), "/%s",
			 found->d_name);
		closedir(dir);
	}
	return path;
}

__attribute__((unused)) static unsigned count_files(const char *name)
{
	DIR *dir = opendir(place_path(name));
	struct dirent *d;
	unsigned n = 0;

	while (dir && (d = readdir(dir)))
		n += d->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return n;
}

__attribute__((unused)) static void change_file(const char *path, const char *content)
{
	FILE *f = fopen(path, "w");

	if (!f || fputs(content, f) < 0 || fclose(f) != 0)
		exit(77);
}

#endif
