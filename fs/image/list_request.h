/* SPDX-License-Identifier: MIT */
/*
 * A change to the list of images that a mount shows, by ioctl(2) on its top directory: for
 * root, and for the user who mounted. ENOTTY: the mount has no list; EPERM: another user.
 */
#ifndef FS_IMAGE_LIST_REQUEST_H
#define FS_IMAGE_LIST_REQUEST_H

#include <stdint.h>
#include <sys/ioctl.h>

#include "base/err.h"

enum list_action { LIST_ADD, LIST_REMOVE };

/* A reference, more than the longest. */
#define LIST_REFERENCE_MAX 1024

struct list_request {
	uint32_t action;		    /* in: enum list_action */
	int32_t code;			    /* out: 0, or a negative errno, and then */
	char why[ERR_TEXT_MAX];		    /* out: a sentence */
	char reference[LIST_REFERENCE_MAX]; /* in: ends with a NUL */
};

/* LIST_ADD returns when the image is listed, or cannot be: image_list_add(). */
#define LIST_IOCTL _IOWR('P', 2, struct list_request)

_Static_assert(sizeof(struct list_request) == 8 + ERR_TEXT_MAX + LIST_REFERENCE_MAX &&
		       sizeof(struct list_request) < 1 << _IOC_SIZEBITS,
	       "the kernel copies it, also for programs of 32 bits");

#endif
