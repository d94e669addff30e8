/* SPDX-License-Identifier: MIT */
/* Attributes of the directories and documents that the mount adds to an image. */
#ifndef FS_IMAGE_VIEW_ITEM_H
#define FS_IMAGE_VIEW_ITEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct item;
struct node;
struct view;

/*
 * st_ino of a row (node.h) of the image: made of the image's digest, of its place in the
 * mount, which its texts tell, of the row and, with @has_parameter, of the parameter. The
 * image must be pinned unless it is inside a directory (view->around).
 */
uint64_t view_item_ino(const struct view *v, const struct node *row, bool has_parameter);
/* A directory, or a file of @size bytes, of the time @time. Read-only. */
void view_item_dir(const struct view *v, uint64_t node, uint64_t ino, int64_t time,
		   struct item *out);
void view_item_file(const struct view *v, uint64_t node, uint64_t ino, int64_t time,
		    size_t size, struct item *out);
/*
 * The top directory of an image that is inside another directory. It is known without
 * loading the image, which need not be pinned.
 */
void view_item_top(const struct view *v, struct item *out);

#endif
