/* SPDX-License-Identifier: MIT */
/* Paths of configuration files, and their content. */
#ifndef REGISTRY_CONFIG_PATHS_H
#define REGISTRY_CONFIG_PATHS_H

#include <limits.h>
#include <stdbool.h>

struct buf;

/* Both write to @out, which has PATH_MAX bytes. 0, or -ENAMETOOLONG and "". */

/* "$XDG_CONFIG_HOME/REST", by default "~/.config/REST". */
int paths_config(char *out, const char *rest);
/*
 * Makes the variables of the environment that name such files absolute, as they are read later,
 * perhaps in another directory. To be called while the program has one thread. -ENAMETOOLONG.
 */
int paths_fix_environment(void);
/* "FOLDER/NAME". */
int paths_join(char *out, const char *folder, const char *name);

bool paths_exists(const char *path);
/*
 * Appends a whole file, which may contain secrets, to @out. -EFBIG if it exceeds the ceiling
 * of @out, else negative errno.
 */
int paths_read(const char *path, struct buf *out);

#endif
