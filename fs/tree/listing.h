/* SPDX-License-Identifier: MIT */
/*
 * The names of a merged directory, in order of their bytes. Each name has a cookie, a small
 * number that never changes, so any process can go on listing after it.
 */
#ifndef FS_TREE_LISTING_H
#define FS_TREE_LISTING_H

#include <stddef.h>
#include <stdint.h>

struct attributes;
struct listing;
struct merge;
struct merged_dir;

/*
 * Starts after @cookie, or at the first name if it is 0. @m and @dir must outlive the
 * listing. 0, -EINVAL (no such cookie), -EBADMSG, -ENOMEM.
 */
int listing_open(const struct merge *m, const struct merged_dir *dir, uint64_t cookie,
		 struct listing **out);
/* NULL is fine. */
void listing_close(struct listing *l);
/*
 * 1 and a name, which is not NUL-terminated and borrowed from the index, with its attributes
 * and cookie; 0 at the end; -EBADMSG.
 */
int listing_next(struct listing *l, const char **name, size_t *len,
		 struct attributes *out, uint64_t *cookie);

#endif
