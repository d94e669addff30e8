/* SPDX-License-Identifier: MIT */
#ifndef FS_CTL_WHICH_H
#define FS_CTL_WHICH_H

#include "fs/ctl/ctl.h"

extern const struct ctl_command which_command;

#endif
