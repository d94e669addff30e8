/* SPDX-License-Identifier: MIT */
#include "fs/erofs/extents.h"

#include "base/fd.h"

int extents_read(int fd, uint64_t n_rows, uint64_t i, struct extent *out, unsigned n)
{
	int rc;

	if (i >= n_rows)
		return 0;
	if (n > n_rows - i)
		n = (unsigned)(n_rows - i);
	rc = fd_read_all(fd, out, n * sizeof(*out), i * sizeof(*out));
	return rc < 0 ? rc : (int)n;
}

int extents_find(int fd, uint64_t n_rows, uint32_t block, uint64_t *i)
{
	uint64_t low = 0, high = n_rows, mid;
	struct extent e;
	int rc;

	while (high - low > 1) {
		mid = low + (high - low) / 2;
		rc = extents_read(fd, n_rows, mid, &e, 1);
		if (rc < 0)
			return rc;
		if (e.block <= block)
			low = mid;
		else
			high = mid;
	}
	*i = low;
	return 0;
}
