/* SPDX-License-Identifier: MIT */
#include "base/secret.h"

#include <sys/resource.h>

#include "base/buf.h"
#include "tests/unit/test.h"

int main(void)
{
	char **list = calloc(3, sizeof(*list));
	struct rlimit core;
	struct buf b;

	secret_free(NULL);
	secret_free_list(NULL);
	if (list) {
		list[0] = strdup("one");
		list[1] = strdup("two");
	}
	secret_free_list(list);
	buf_init(&b, 100);
	secret_release(&b);
	if (buf_append_text(&b, "password") == 0)
		secret_release(&b);
	ok(!b.data && b.len == 0, "a released buf is empty");
	secret_forbid_core();
	ok(getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0, "no core files");
	return test_done();
}
