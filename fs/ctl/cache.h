/* SPDX-License-Identifier: MIT */
#ifndef FS_CTL_CACHE_H
#define FS_CTL_CACHE_H

#include "fs/ctl/ctl.h"

extern const struct ctl_command cache_command;

#endif
