/* SPDX-License-Identifier: MIT */
/* peelctl index push --trace: what was read of a mount is put beside its image. */
#ifndef FS_CTL_PUSH_TRACE_H
#define FS_CTL_PUSH_TRACE_H

#include <stdbool.h>

struct words;

/* The first operand is the mount point. The exit status. */
int push_trace(const struct words *w, bool dry_run);

#endif
