/* SPDX-License-Identifier: MIT */
/* Names of a namespace: hosts, parts of paths, tags, .peelfs at the top. */
#ifndef FS_NODE_NAME_H
#define FS_NODE_NAME_H

#include "fs/node/node_ops.h"

extern const struct node_ops name_ops;

#endif
