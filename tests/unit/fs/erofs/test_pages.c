/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fs/erofs/pages.h"
#include "tests/unit/test.h"

#define SIZE (8 << 20)

static char want[SIZE], got[SIZE];

/* Writes of any size in any order, more pages than slots, against memory. */
static void test_random(void)
{
	int fd = memfd_create("pages", 0);
	struct pages *p = NULL;
	unsigned i, random = 1;
	bool good = true;

	if (!ok(pages_new(fd, &p) == 0, "made"))
		return;
	for (i = 0; i < 8000; i++) {
		size_t off, len;
		char bytes[9000];

		random = random * 1103515245 + 12345;
		off = random % SIZE;
		len = (random >> 8) % (i % 50 ? 40 : sizeof(bytes));
		if (len > SIZE - off)
			len = SIZE - off;
		memset(bytes, (int)(random >> 16), len);
		memcpy(want + off, bytes, len);
		good &= pages_put(p, off, bytes, len) == 0;
		good &= pages_get(p, off / 2, got, 5000) == 0 &&
			memcmp(got, want + off / 2, off / 2 + 5000 > SIZE ? 1 : 5000) ==
				0;
	}
	ok(good, "what was put is there");
	is_int(pages_flush(p), 0, "flushed");
	pages_free(p);
	is_int(lseek(fd, 0, SEEK_END) % 65536, 0, "the file has whole pages");
	memset(got, 0, sizeof(got));
	ok(pread(fd, got, SIZE, 0) > 0 && memcmp(got, want, SIZE) == 0,
	   "and all that was put");
	close(fd);
}

static void test_failure(void)
{
	int fd = open("/dev/full", O_RDWR);
	struct pages *p = NULL;

	if (fd < 0 || pages_new(fd, &p) < 0)
		return;
	is_int(pages_put(p, 0, "a", 1), 0, "a page in memory");
	is_int(pages_put(p, 64 * 65536, "a", 1), -ENOSPC, "a page without a place");
	is_int(pages_flush(p), -ENOSPC, "nor at the end");
	pages_free(p);
	close(fd);
}

int main(void)
{
	test_random();
	test_failure();
	return test_done();
}
