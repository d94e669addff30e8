/* SPDX-License-Identifier: MIT */
/* Where configuration lies: paths made and files read. */
#ifndef REGISTRY_CONFIG_PATHS_H
#define REGISTRY_CONFIG_PATHS_H

#include <limits.h>
#include <stdbool.h>

struct buf;

/*
 * These write a path to @out, which has PATH_MAX bytes. 0, or -ENAMETOOLONG and "".
 * paths_config() is "$XDG_CONFIG_HOME/REST", by default "~/.config/REST".
 */
int paths_config(char *out, const char *rest);
int paths_join(char *out, const char *folder, const char *name);

bool paths_exists(const char *path);
/* All of a file, up to the ceiling of @out, which may hold secrets: -EFBIG. */
int paths_read(const char *path, struct buf *out);

#endif
