/* SPDX-License-Identifier: MIT */
/*
 * What a namespace asks of registries, and how the answers get into its tree. Each call
 * may wait for the network, in a thread of its own (task.h), so that its wait can be ended
 * with -EINTR. What fails is logged; the errnos are to be seen. A failure of the network
 * takes nothing away that was known.
 */
#ifndef FS_NAMES_REFRESH_H
#define FS_NAMES_REFRESH_H

#include <stddef.h>
#include <stdint.h>

struct digest;
struct mount;
struct name;
struct waiter;

/* The names in a directory: the catalog of its host, its own tags. */
int refresh_list(struct mount *m, struct name *dir, struct waiter *w);
/*
 * What @text is in a directory: a tag, or a directory, which then are in the tree. -ENOENT:
 * neither.
 */
int refresh_child(struct mount *m, struct name *dir, const char *text, struct waiter *w);
/* Which digest a tag has now. -ENOENT: there is no such tag any more. */
int refresh_tag(struct mount *m, struct name *tag, struct waiter *w);
/* Is there such an image in the repository? Then it is in the tree. */
int refresh_image(struct mount *m, struct name *dir, const char *digest,
		  struct waiter *w);

#endif
