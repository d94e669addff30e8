/* SPDX-License-Identifier: MIT */
#include "base/array.h"

#include <errno.h>
#include <stdint.h>

#include "tests/unit/test.h"

int main(void)
{
	unsigned wrong = 0;
	uint64_t *list = NULL;
	size_t n;

	for (n = 0; n < 1000; n++) {
		if (array_grow(&list, n, sizeof(*list)) < 0)
			break;
		list[n] = n;
	}
	is_int(n, 1000, "it grows");
	while (n-- > 0)
		wrong += list[n] != n;
	is_int(wrong, 0, "every element is kept");
	is_int(array_grow(&list, SIZE_MAX / 2 + 1, sizeof(*list)), -ENOMEM,
	       "a size that overflows is refused");
	ok(list && list[999] == 999, "and nothing changes");
	free(list);
	return test_done();
}
