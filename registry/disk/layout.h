/* SPDX-License-Identifier: MIT */
/* The backend of an OCI layout (a directory or a tar of one) and of skopeo's "dir:". */
#ifndef REGISTRY_DISK_LAYOUT_H
#define REGISTRY_DISK_LAYOUT_H

#include "registry/image/backend.h"

struct archive_helper;

enum layout_form {
	LAYOUT_OCI,	/* oci:DIR[:TAG] */
	LAYOUT_ARCHIVE, /* oci-archive:FILE[:TAG]; as FILE, "-" is standard input */
	LAYOUT_PLAIN,	/* dir:DIR */
};

/*
 * @source is the source in full, which becomes the backend's name; @text is what follows its
 * prefix: PATH[:TAG], or for LAYOUT_PLAIN only a path. @h is for LAYOUT_ARCHIVE alone,
 * borrowed, and may be NULL. An archive is read by root(). Errors: those of open().
 */
int layout_open(const char *source, const char *text, enum layout_form form,
		const struct archive_helper *h, struct backend **out, struct err *e);

#endif
