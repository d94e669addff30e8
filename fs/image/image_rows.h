/* SPDX-License-Identifier: MIT */
/*
 * The state of an image list (image_list.h). A row is a reference: of a line of the file, or one
 * that is being added. It leads to an image: one for each manifest that was
 * ever listed. Plain memory, no network: the caller holds the lock of the list.
 */
#ifndef FS_IMAGE_IMAGE_ROWS_H
#define FS_IMAGE_IMAGE_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "fs/image/image_lines.h"
#include "fs/image/image_set.h"

struct buf;
struct image_source;
struct images;

/* An image that was listed at some time. It stays, because its view does. */
struct known {
	struct view *view;
	const struct image *image;
	struct image *own; /* the same, to be freed; NULL: the view has it */
	struct image_source *source;
	bool is_refused;
	char why[ERR_TEXT_MAX]; /* then: what it was refused for */

	/* Private: */
	uint64_t making; /* the set in which it has the place: */
	size_t place;
};

struct image_row {
	char name[REFERENCE_TEXT_MAX]; /* image_lines_name() */
	unsigned line;		       /* of the file; 0: in none */
	unsigned n_adding;	       /* calls that add it */
	struct known *known;	       /* NULL: not listed */
	bool is_wanted;		       /* to be resolved */
	bool is_busy;		       /* a thread resolves it */
	bool is_gone; /* then: not in the list any more, and the thread frees it */
	int failed;   /* the last time; 0: it did not */
	uint32_t failed_at, delay; /* clock_seconds(); seconds until it is tried again */
	char why[ERR_TEXT_MAX];
};

struct image_rows {
	struct known *first; /* the mounted image, or NULL */
	char **first_names;
	size_t n_first_names;
	struct image_row **rows; /* in the order of the file */
	size_t n;
	struct known **known;
	size_t n_known;
	struct image_set *set; /* what others see; never NULL */
	uint64_t n_made;       /* sets */
};

/* -ENOMEM. */
int image_rows_init(struct image_rows *rows);
void image_rows_release(struct image_rows *rows);

/* Lists the mounted image, with the names that it has. 0 or -ENOMEM. */
int image_rows_begin(struct image_rows *rows, struct view *first);

struct image_row *image_rows_find(const struct image_rows *rows, const char *name);
/* Adds a wanted row for a name that has none. NULL: out of memory, or too many. */
struct image_row *image_rows_add(struct image_rows *rows, const char *name);
/* Forgets the rows that are in no line and that nobody adds. */
void image_rows_drop(struct image_rows *rows);

/*
 * Makes the rows those of the file's text: new ones are wanted, and those that failed. Calls
 * @complain with each line that is none, and why.
 */
void image_rows_read(struct image_rows *rows, const struct buf *text, const char *prefix,
		     void (*complain)(void *arg, unsigned line, int code, struct err *e),
		     void *arg);
/* Makes those rows wanted that failed some time ago, longer each time. */
void image_rows_retry(struct image_rows *rows);

/*
 * The row leads to @image, which @source has resolved; both are taken on success. The image
 * gets a view unless it is known. -ENOMEM, -ENOSPC.
 */
int image_rows_found(struct image_rows *rows, struct image_row *r, struct images *images,
		     struct image *image, struct image_source *source);
/* Notes that the row was resolved in vain. False: for the same reason as before. */
bool image_row_fail(struct image_row *r, int code, const struct err *e);
/* The image of @v is not listed until it is resolved anew. NULL: it is not already. */
const struct image *image_rows_refuse(struct image_rows *rows, const struct view *v,
				      const char *why);

/*
 * Replaces the set if the rows list others now. Without memory the old one stays until the
 * next change.
 */
void image_rows_publish(struct image_rows *rows);

#endif
