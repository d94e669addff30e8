/* SPDX-License-Identifier: MIT */
#ifndef FS_CTL_STATUS_H
#define FS_CTL_STATUS_H

#include "fs/ctl/ctl.h"

extern const struct ctl_command status_command;

#endif
