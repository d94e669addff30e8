/* SPDX-License-Identifier: MIT */
/* Files of layers: everything but directories, whatever images show them. */
#ifndef FS_NODE_FILE_H
#define FS_NODE_FILE_H

#include "fs/node/node_ops.h"

/*
 * The size of a regular file of one name whose bytes are in the store and verified; 0 if it
 * is another kind of file, is empty, has holes or over @max bytes, or has to be fetched.
 * Negative: the layer has no such entry, or its bytes are never verified in the store.
 */
ssize_t file_stored_size(const struct located *at, size_t max);

#endif
