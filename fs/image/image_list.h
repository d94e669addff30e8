/* SPDX-License-Identifier: MIT */
/*
 * The images of a mount for container engines (layout=store, layout=erofs): the mounted one,
 * unless the source is a namespace, and those that the file of -o images= names.
 *
 * The file is read again when it has changed; whatever asks for the images looks. Threads
 * resolve the references that are new in it, several at once. One that fails is logged, with
 * file and line, and tried again later or when the file changes; it delays no other. Listed
 * images stay as they are: a tag that moves is noticed by image_list_add(). Two references to
 * one manifest are one image with two names. Views get numbers that are never reused, and
 * may be unloaded when they are idle.
 *
 * All calls, unless they say otherwise: any thread.
 */
#ifndef FS_IMAGE_IMAGE_LIST_H
#define FS_IMAGE_IMAGE_LIST_H

#include <stdbool.h>

#include "fs/image/image_set.h"

struct err;
struct image_list;
struct images;
struct jsonwrite;
struct view;
struct waiter;

/*
 * @prefix: what all references are below, "HOST/PATH"; "" for any. @file: of -o images=, or
 * NULL; a relative name is of the current directory. @images is borrowed. No network. 0, or
 * a negative errno and a sentence.
 */
int image_list_new(struct images *images, const char *prefix, const char *file,
		   struct image_list **out, struct err *e);
/* After images_release(), because the views use its sources. NULL is fine. */
void image_list_free(struct image_list *l);

/*
 * Lists @first, the image of number 0, which is loaded; NULL: the source is a namespace.
 * Then reads the file, and waits until it is resolved, for some seconds at most. Once. 0, or
 * a negative errno and a sentence: an artifact has no layers to show. Failures in the file
 * are logged and are not errors.
 */
int image_list_begin(struct image_list *l, struct view *first, struct err *e);

/*
 * The images that are listed now; never NULL. Never waits for the network: a reference that
 * is new in the file is in a later set. image_set_unref() it.
 */
struct image_set *image_list_get(struct image_list *l);
/*
 * Waits until each reference of the file, as it is now, is listed or has failed. 0, -EINTR,
 * and -EIO when the mount ends.
 */
int image_list_await(struct image_list *l, struct waiter *w);

/*
 * Lists the image of @reference, resolved anew if it is listed, and adds it to the file unless
 * it is there. Waits for that. A reference that fails is not added. 0; -EINTR; -EINVAL,
 * -ENOTSUP or what the registry or the file says, with a sentence.
 */
int image_list_add(struct image_list *l, const char *reference, struct waiter *w,
		   struct err *e);
/*
 * @check says whether images can be shown beside each other: it refuses those that cannot
 * (image_list_refuse()). image_list_add() calls it once its image is in the set, before the
 * file has it, under no lock; an image that was refused is not added. Before
 * image_list_begin().
 */
void image_list_set_check(struct image_list *l, void (*check)(void *arg), void *arg);
/* Removes the lines of @reference from the file. -ENOENT: it has none. */
int image_list_remove(struct image_list *l, const char *reference, struct err *e);

/*
 * The image cannot be shown, because of what @why says, a sentence that is logged: it is not
 * listed until it is resolved anew. Nothing happens if it is not listed.
 */
void image_list_refuse(struct image_list *l, const struct view *v, const char *why);

/*
 * Writes what is known of each reference in the file, for the status: an object. Never waits, so it
 * does not look at the file.
 */
void image_list_render(struct image_list *l, struct jsonwrite *w);

#endif
