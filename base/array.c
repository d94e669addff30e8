/* SPDX-License-Identifier: MIT */
#include "base/array.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY_FIRST 4

int array_grow(void *list, size_t n, size_t size)
{
	size_t room = n ? 2 * n : ARRAY_FIRST;
	void *old, *more;

	if (n > 0 && (n < ARRAY_FIRST || (n & (n - 1)) != 0))
		return 0;
	if (n > SIZE_MAX / 2 / size)
		return -ENOMEM;
	/* copied, because the caller's pointer is not of type void * */
	memcpy(&old, list, sizeof(old));
	more = realloc(old, room * size);
	if (!more)
		return -ENOMEM;
	memcpy(list, &more, sizeof(more));
	return 0;
}
