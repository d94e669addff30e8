/* SPDX-License-Identifier: MIT */
/* Where configuration lies: paths made and files read. */
#ifndef REGISTRY_CONFIG_PATHS_H
#define REGISTRY_CONFIG_PATHS_H

#include <limits.h>
#include <stdbool.h>

struct buf;

/* $HOME, or what the user database says. Borrowed. */
const char *confpath_home(void);
/*
 * These write a path to @out, which has PATH_MAX bytes. 0, or -ENAMETOOLONG and "".
 * confpath_config() is "$XDG_CONFIG_HOME/REST", by default "~/.config/REST".
 */
int confpath_config(char *out, const char *rest);
int confpath_join(char *out, const char *folder, const char *name);

bool confpath_exists(const char *path);
/* All of a file, up to the ceiling of @out, which may hold secrets: -EFBIG. */
int confpath_read(const char *path, struct buf *out);

#endif
