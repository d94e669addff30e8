/* SPDX-License-Identifier: MIT */
/* The blocks of a directory: its names in order of their bytes, "." and ".." among them. Pure. */
#ifndef FS_EROFS_DIRENTS_H
#define FS_EROFS_DIRENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fs/erofs/format.h"

/* A name in a directory. */
struct child {
	const char *name; /* borrowed */
	uint64_t id;
	/*
	 * Of a directory: where in the image its nid is to be written, set by
	 * dirents_block(). Of a regular file: its size. Else 0.
	 */
	uint64_t place;
	uint32_t nid; /* 0: a directory that has no place yet */
	uint8_t len;
	uint8_t type; /* enum dirent_type */
	bool has_holes;
	bool is_linked; /* the inode has several names */
};

enum dirent_type {
	DIRENT_REGULAR = 1,
	DIRENT_DIRECTORY,
	DIRENT_CHAR,
	DIRENT_BLOCK,
	DIRENT_FIFO,
	DIRENT_SOCKET,
	DIRENT_SYMLINK,
};

/* Of st_mode; 0 for what is none of them. */
enum dirent_type dirents_type(uint32_t mode);
/* The order of names: <0, 0, >0. */
int dirents_compare(const char *a, size_t a_len, const char *b, size_t b_len);

/* A walk along the names; begin with @list, @n, @self and @parent. */
struct dirents {
	struct child *list; /* in order */
	size_t n;
	uint32_t self;
	uint32_t parent;
	size_t next;
	unsigned dots; /* how many of "." and ".." are behind */
};

/*
 * The size of the directory of a walk that has not begun: that of all its blocks, the last
 * one up to its last name.
 */
uint64_t dirents_size(const struct dirents *d);
/*
 * Fills the next block, which will be at @at of the image; gives the bytes that are used.
 * The others are zero.
 */
size_t dirents_block(struct dirents *d, uint64_t at, unsigned char block[EROFS_BLOCK]);

#endif
