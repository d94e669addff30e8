/* SPDX-License-Identifier: MIT */
/*
 * Lower stores: stores below the one that a process writes to. They are only read: nothing
 * in them is created, changed, or locked exclusively. Documents, notes, indexes and
 * decoded bytes that the upper store lacks are taken from them.
 *
 * Bytes from a store are shown after no more than a checksum, so a lower store is as
 * trustworthy as those who can write to it. Its directory, and each file that is opened in
 * it, must belong to root or to this user, and nobody else may have the right to write to
 * it. Other files count as absent.
 *
 * The owner of a lower store may use it at the same time. A shared lock on a layer's data
 * keeps the owner from evicting it. On a file system where such a lock may not reach the
 * owner, such as NFS, the data can vanish at any time (lower_slot_is_held()).
 */
#ifndef BASE_STORE_LOWER_H
#define BASE_STORE_LOWER_H

#include <stdbool.h>
#include <stddef.h>

struct err;
struct store;

/*
 * Adds the store in @dir below @s and below those added before. To be called before @s is
 * used. 0, also if @dir is there already, or is the directory of @s itself. Else a
 * negative errno and a sentence: -EACCES if others could write to it, -ENOENT if it is no
 * store, -E2BIG.
 */
int store_add_lower(struct store *s, const char *dir, struct err *e);
size_t store_n_lower(const struct store *s);
/* The directory of lower store @k, borrowed. */
const char *store_lower_dir(const struct store *s, size_t k);
/*
 * What is taken from lower stores is copied into the upper one: to be called before the
 * store is used.
 */
void store_copy_lower(struct store *s);
bool store_copies_lower(const struct store *s);

/* For the modules of this folder only. */

/* files_open() in directory @dir of lower store @k, for reading, under the rule above. */
int lower_open_file(struct store *s, size_t k, int dir, const char *name);
/* Opens the directory @path below lower store @k. -ENOENT */
int lower_open_folder(struct store *s, size_t k, const char *path);
void lower_close_all(struct store *s);

#endif
