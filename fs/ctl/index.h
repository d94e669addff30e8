/* SPDX-License-Identifier: MIT */
#ifndef FS_CTL_INDEX_H
#define FS_CTL_INDEX_H

#include "fs/ctl/ctl.h"

extern const struct ctl_command index_command;

#endif
