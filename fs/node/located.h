/* SPDX-License-Identifier: MIT */
/* What the kinds of nodes share: pins, failures, attributes of what an archive has. */
#ifndef FS_NODE_LOCATED_H
#define FS_NODE_LOCATED_H

#include <stdint.h>

#include "fs/node/node_ops.h"

struct attributes;

/* The kinds: enum node_kind, and names of a namespace. */
#define NODE_NAME  4
#define NODE_KINDS 5

/* Unpacks a node id and tells its kind. */
unsigned located_kind(const struct nodes *n, uint64_t id, struct node *out);

/* For node_ops.pin: the image or the layer of the node. -ESTALE, and as view_pin(). */
int located_pin_view(struct located *at, struct waiter *w);
int located_pin_layer(struct located *at, struct waiter *w);
/* Unpins. Also if pinning failed. */
void located_release(struct located *at);

/* Counts and logs a damaged index; @l NULL: it is not known whose. An errno for a program. */
int located_index_failed(const struct nodes *n, struct mount_layer *l, int code);
/* The same for errors of the merge; -ENOENT stays. */
int located_merge_failed(const struct nodes *n, int code);
/* What the kernel is told about an entry of a layer, which is pinned. 0, -EIO. */
int located_item(const struct nodes *n, const struct attributes *a, struct item *out);

#endif
