/* SPDX-License-Identifier: MIT */
/* Complete reads and writes of a file, despite signals and short counts. */
#ifndef BASE_FD_H
#define BASE_FD_H

#include <stddef.h>
#include <stdint.h>

/* Both use pread and pwrite, so the file offset does not change. */

/* 0 or negative errno; then a part may have been written. */
int fd_write_all(int fd, const void *data, size_t len, uint64_t off);
/* 0 or negative errno; -EIO if the file ends earlier. */
int fd_read_all(int fd, void *buf, size_t len, uint64_t off);

#endif
