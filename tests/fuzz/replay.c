/* SPDX-License-Identifier: MIT */
/*
 * Runs a fuzz target over the files named, or over all files of a folder, with no
 * fuzzing engine: what once was found stays found. A crash or a sanitizer's
 * report ends it.
 */
#include <dirent.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	struct stat st;
	uint8_t *data;
	size_t n;

	if (!f || fstat(fileno(f), &st) < 0) {
		perror(path);
		return 1;
	}
	/* Exactly as many bytes as there are, so that ASan sees one read past them. */
	data = malloc(st.st_size > 0 ? (size_t)st.st_size : 1);
	n = data ? fread(data, 1, (size_t)st.st_size, f) : 0;
	fclose(f);
	if (n == (size_t)st.st_size)
		LLVMFuzzerTestOneInput(data, n);
	free(data);
	return 0;
}

static int run_folder(const char *path, DIR *dir)
{
	char name[PATH_MAX];
	struct dirent *d;
	int failures = 0;

	while ((d = readdir(dir))) {
		if (d->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, d->d_name);
		failures += run_file(name);
	}
	return failures;
}

int main(int argc, char **argv)
{
	int i, failures = 0;

	for (i = 1; i < argc; i++) {
		DIR *dir = opendir(argv[i]);

		failures += dir ? run_folder(argv[i], dir) : run_file(argv[i]);
		if (dir)
			closedir(dir);
	}
	return failures > 0;
}
