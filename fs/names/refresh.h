/* SPDX-License-Identifier: MIT */
/*
 * Asks registries about names of a namespace and puts the answers into its tree. Each call
 * may wait for the network, in a thread of its own (workers.h), so that the wait can be ended
 * with -EINTR. Failures are logged; an errno for a program. A failure of the network
 * removes nothing from the tree. Any thread.
 */
#ifndef FS_NAMES_REFRESH_H
#define FS_NAMES_REFRESH_H

struct name;
struct namespace;
struct waiter;

/* The names in a directory: the catalog of its host, its own tags. */
int refresh_list(struct namespace *ns, struct name *dir, struct waiter *w);
/*
 * Lists the top while messages still go to the terminal, so that a registry that refuses or
 * cannot be reached is named there. For some seconds at most.
 */
void refresh_first(struct namespace *ns);
/* Finds out whether @text is a tag or a directory in @dir. -ENOENT: neither. */
int refresh_child(struct namespace *ns, struct name *dir, const char *text,
		  struct waiter *w);
/* The digest that a tag has now. -ENOENT: the tag is gone. */
int refresh_tag(struct namespace *ns, struct name *tag, struct waiter *w);
/* Finds out whether the repository has an image of that digest. */
int refresh_image(struct namespace *ns, struct name *dir, const char *digest,
		  struct waiter *w);

#endif
