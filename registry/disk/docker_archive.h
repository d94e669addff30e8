/* SPDX-License-Identifier: MIT */
/* The backend of an image in the output of `docker save`. */
#ifndef REGISTRY_DISK_DOCKER_ARCHIVE_H
#define REGISTRY_DISK_DOCKER_ARCHIVE_H

#include "registry/image/backend.h"

/*
 * @source is the source in full, which becomes the backend's name; @text is what follows
 * "docker-archive:": FILE[:REFERENCE] or FILE:@NUMBER. Errors: those of open(); -EBADMSG,
 * -ENOTSUP: not an archive that can be read.
 */
int docker_archive_open(const char *source, const char *text, struct backend **out,
			struct err *e);

#endif
