/* SPDX-License-Identifier: MIT */
/*
 * The inside of the merge, for merge.c and listing.c: how one name of a merged
 * directory is decided.
 */
#ifndef FS_TREE_MATCH_H
#define FS_TREE_MATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fs/tree/merge.h"
#include "fs/tree/node.h"

/* A walk along the names of one layer's directory. */
struct cursor {
	uint32_t first;
	uint32_t next; /* the entry under the cursor */
	uint32_t end;
	struct entry entry; /* good while next < end */
};

/* What a name is: a file of one layer, or a directory of some. */
struct match {
	bool is_dir;
	bool is_described; /* else a directory that no archive has an entry for */
	bool is_closed;	   /* nobody further down has a say */
	uint32_t layer;
	struct entry entry;
	size_t n; /* of a directory: who contributes, from the top down */
	struct place contributors[NODE_LAYERS_MAX];
};

void match_init(struct match *f);
/*
 * Counts in what the next layer has under the name. True if no layer below it
 * matters.
 */
bool match_add(struct match *f, uint32_t layer, const struct entry *e);

/*
 * Decides @name among the @n layers of @contributors. Their entries are looked up, or, with
 * @cursors (one for each of @contributors), are those under the cursors that bear the name.
 * 0, -ENOENT, -EBADMSG.
 */
int match_name(const struct merge_layer *layers, const struct place *contributors,
	       size_t n, const char *name, size_t len, const struct cursor *cursors,
	       struct match *out);

const struct merge_layer *merge_layers(const struct merge *m);
/*
 * Of what was found, what is shown; @dir: identity_path() of the directory it is in. 0,
 * -ENOENT for a hard link that leads nowhere, -EBADMSG.
 */
int merge_attributes(const struct merge *m, const struct match *f, uint64_t dir,
		     struct attributes *out);

/* A whiteout's own name, or one that no program could ask for: never shown. */
bool name_is_hidden(const char *name, size_t len);
/* As the indexes order them. */
int name_compare(const char *a, size_t a_len, const char *b, size_t b_len);

#endif
