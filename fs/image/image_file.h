/* SPDX-License-Identifier: MIT */
/*
 * The file that lists images (-o images=): when it changed, and changes to it. Other programs
 * and editors change it, too, in place or by rename; writers lock it with flock(2). It may be
 * absent, which is the same as empty. One thread at a time.
 */
#ifndef FS_IMAGE_IMAGE_FILE_H
#define FS_IMAGE_IMAGE_FILE_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/buf.h"

struct err;

struct image_file {
	char *path; /* absolute */
	struct buf text;

	/* Private: */
	struct stat seen; /* all zero: it is absent */
	bool was_read;
	bool is_fresh; /* it may change within the time stamp that it has */
};

/* @path: a copy is made; a relative one is of the current directory. No access. */
int image_file_init(struct image_file *f, const char *path, struct err *e);
void image_file_release(struct image_file *f);

/*
 * Looks at the file. 1: f->text is new; 0: it is as before. Or a negative errno and a sentence:
 * f->text is as before, and the next call tries again.
 */
int image_file_look(struct image_file *f, struct err *e);

/*
 * Adds a line, at once with all of it on the disk, unless the file has one for the reference
 * @name (image_lines_name()). An absent file is created for this user alone. 0, or a negative
 * errno and a sentence.
 */
int image_file_add(struct image_file *f, const char *name, struct err *e);
/*
 * Removes the lines of the reference @name. The new file replaces the old one and has its
 * owner and mode. -ENOENT: there is none.
 */
int image_file_remove(struct image_file *f, const char *name, struct err *e);

#endif
