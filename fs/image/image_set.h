/* SPDX-License-Identifier: MIT */
/*
 * The images that a mount lists at one moment (image_list.h). A set never changes: another
 * one replaces it. Any thread.
 */
#ifndef FS_IMAGE_IMAGE_SET_H
#define FS_IMAGE_IMAGE_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct image;
struct view;

struct listed_image {
	/* Both stay as long as the mount, also after the image is not listed any more. */
	struct view *view;	   /* view_pin() before anything is loaded of it */
	const struct image *image; /* its documents; no pin is needed */
	/*
	 * As engines write them: "docker.io/library/nginx:1.27", or with a digest instead of
	 * the tag. An image on disk may have none.
	 */
	char **names;
	size_t n_names;
};

struct image_set {
	int refs; /* atomic */
	/* Differs from that of any other set, also of earlier mounts, that lists others. */
	uint64_t generation;
	size_t n;
	struct listed_image *images; /* in the order of the file */
};

/* An empty set of one reference. -ENOMEM. */
int image_set_new(struct image_set **out);
struct image_set *image_set_ref(struct image_set *s);
/* NULL is fine. */
void image_set_unref(struct image_set *s);

/* While a set is made, known to one thread. Each 0 or -ENOMEM. */
int image_set_add(struct image_set *s, struct view *view, const struct image *image);
/* A copy of @name, for image number @i. */
int image_set_add_name(struct image_set *s, size_t i, const char *name);

/* Do they list the same images with the same names in the same order? */
bool image_set_equal(const struct image_set *a, const struct image_set *b);

#endif
