/* SPDX-License-Identifier: MIT */
/* The rows of an image (rows.h) as nodes. */
#ifndef FS_NODE_SYNTHETIC_H
#define FS_NODE_SYNTHETIC_H

#include "fs/node/node_ops.h"

extern const struct node_ops synthetic_ops;

#endif
