/* SPDX-License-Identifier: MIT */
/* Any bytes taken for a page of tags or repositories; the first says how and in what pieces. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "registry/remote/name_page.h"
#include "registry/image/reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum name_page_kind kind;
	struct name_page *n;
	size_t piece, at, count = 0, said = 0, len;
	const char *name = NULL;
	int rc = 0;

	if (size < 1)
		return 0;
	kind = data[0] & 1 ? NAMES_REPOSITORIES : NAMES_TAGS;
	piece = (data[0] >> 1) + 1;
	if (name_page_new(kind, &n) < 0)
		return 0;
	for (at = 1; at < size && rc == 0; at += piece)
		rc = name_page_feed(n, data + at, size - at < piece ? size - at : piece,
				    NULL);
	if (rc == 0)
		name = name_page_finish(n, &count, &said, NULL);
	if (name && count > said)
		abort();
	for (; name && count > 0; count--, name += len + 1) {
		len = strlen(name);
		if (kind == NAMES_TAGS ? !reference_is_tag(name, len)
				       : !reference_is_path(name, len))
			abort();
	}
	name_page_free(n);
	return 0;
}
