/* SPDX-License-Identifier: MIT */
/* Any bytes taken for an archive, and a member that may be in it. */
#include <stdlib.h>

#include "base/source.h"
#include "registry/disk/archive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct source *file = NULL, *member = NULL;
	struct archive *a = NULL;
	char byte;

	if (source_memory(data, size, &file) < 0)
		return 0;
	if (archive_new(file, NULL, &a, NULL) == 0 &&
	    archive_member(a, "manifest.json", &member, NULL) == 0 && member->size > 0 &&
	    source_pread(member, &byte, 1, member->size - 1, NULL) != 1)
		abort();
	source_unref(member);
	archive_free(a);
	source_unref(file);
	return 0;
}
