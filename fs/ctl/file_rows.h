/* SPDX-License-Identifier: MIT */
/* Names and attributes of files, sorted and printed to stdout as ls(1) does. */
#ifndef FS_CTL_FILE_ROWS_H
#define FS_CTL_FILE_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct file_row {
	char *name;
	char *target; /* of a symlink; NULL: not known */
	uint64_t node;
	struct stat attr;
};

/* All zero: empty. */
struct file_rows {
	struct file_row *list;
	size_t n;
};

struct file_style {
	bool is_long;	  /* as ls -ln */
	bool has_slashes; /* behind the names of directories, as ls -p */
	bool to_terminal; /* control characters in names become "?" */
	int64_t now;	  /* seconds since 1970: older and future times show the year */
};

/* Copies of @name and @target, which may be NULL. 0, -ENOMEM. */
int file_rows_add(struct file_rows *r, const char *name, const char *target,
		  uint64_t node, const struct stat *attr);
/* By name, byte for byte. */
void file_rows_sort(struct file_rows *r);
/* A line each. */
void file_rows_print(const struct file_rows *r, const struct file_style *style);
/* What they take on a disk: the first line of ls -l. */
void file_rows_print_total(const struct file_rows *r);
/* Empty again. */
void file_rows_release(struct file_rows *r);

/* A name alone, without a line end. */
void file_rows_print_name(const char *name, const struct file_style *style);

#endif
