/* SPDX-License-Identifier: MIT */
/* The backend (backend.h) of an image in a registry. */
#ifndef REGISTRY_REMOTE_REPOSITORY_H
#define REGISTRY_REMOTE_REPOSITORY_H

#include "registry/image/backend.h"

struct client;

/*
 * @text is a reference, without "docker://". @c is borrowed for the backend's life. Makes no
 * request. -EINVAL: not a reference.
 */
int repository_open(const char *text, struct client *c, struct backend **out,
		    struct err *e);

#endif
