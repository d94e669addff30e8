/* SPDX-License-Identifier: MIT */
/* The backend of an image in the output of `docker save`. */
#ifndef REGISTRY_DISK_DOCKER_ARCHIVE_H
#define REGISTRY_DISK_DOCKER_ARCHIVE_H

#include "registry/image/backend.h"

struct archive_helper;

/*
 * @source is the source in full, which becomes the backend's name; @text is what follows
 * "docker-archive:": FILE[:REFERENCE] or FILE:@NUMBER; as FILE, "-" is standard input. @h is
 * borrowed and may be NULL. The archive is read by root(). Errors: those of open().
 */
int docker_archive_open(const char *source, const char *text,
			const struct archive_helper *h, struct backend **out,
			struct err *e);

#endif
