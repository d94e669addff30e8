/* SPDX-License-Identifier: MIT */
/* Whole runs of bytes to and from a file: what signals and short counts leave is done. */
#ifndef BASE_FD_H
#define BASE_FD_H

#include <stddef.h>
#include <stdint.h>

/* Both leave the descriptor's own place alone. */

/* 0 or negative errno; then some of it may have been written. */
int fd_write_all(int fd, const void *data, size_t len, uint64_t off);
/* 0 or negative errno: -EIO where the file ends before that. */
int fd_read_all(int fd, void *buf, size_t len, uint64_t off);

#endif
