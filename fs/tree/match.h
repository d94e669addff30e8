/* SPDX-License-Identifier: MIT */
/*
 * What one name of a merged directory is, decided from the layers that contribute to the
 * directory. The rules are at the top of match.c. Pure.
 */
#ifndef FS_TREE_MATCH_H
#define FS_TREE_MATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fs/tree/layer.h"
#include "fs/tree/node.h"
#include "tar/index/index.h"

/* A walk along the names of one layer's directory. */
struct cursor {
	uint32_t first;
	uint32_t next; /* the entry under the cursor */
	uint32_t end;
	struct entry entry; /* valid while next < end */
};

/* The result: a file of one layer, or a directory of several. */
struct match {
	bool is_dir;
	bool is_described; /* a layer's archive has an entry for it, not only for paths below */
	bool is_closed; /* no lower layer contributes */
	uint32_t layer; /* if described: the layer whose entry gives the metadata */
	struct entry entry;
	size_t n;				    /* of a directory: */
	struct place contributors[NODE_LAYERS_MAX]; /* the topmost first */
};

/* No layer was looked at yet. */
void match_init(struct match *m);
/* Adds the entry that the next lower layer has. True if no layer below it can matter. */
bool match_add(struct match *m, uint32_t layer, const struct entry *e);

/*
 * Decides @name in a directory of the @n @contributors. Their entries are looked up, or,
 * with @cursors (one for each contributor), are those under the cursors that have the name.
 * 0, -ENOENT, -EBADMSG.
 */
int match_name(const struct tree_layer *layers, const struct place *contributors,
	       size_t n, const char *name, size_t len, const struct cursor *cursors,
	       struct match *out);

/* Whether the name is never shown: a whiteout's own, an empty or a too long one. */
bool match_hides(const char *name, size_t len);
/* Whether an xattr is never shown: overlayfs's own. */
bool match_hides_xattr(const char *name, size_t len);
/* The order of names in an index: <0, 0, >0. */
int match_compare(const char *a, size_t a_len, const char *b, size_t b_len);

#endif
