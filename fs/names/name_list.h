/* SPDX-License-Identifier: MIT */
/*
 * The lists that a registry gives, brought into the tree of a namespace: the catalog of a host,
 * the tags of a repository. Asks the network in the caller's thread. Any thread, without the
 * tree's lock.
 */
#ifndef FS_NAMES_NAME_LIST_H
#define FS_NAMES_NAME_LIST_H

struct err;
struct image_source;
struct name;
struct namespace;

/*
 * Brings the tree up to date with the catalog of the host of @dir, unless that was done recently
 * or another thread does it, which is waited for. -ENOTSUP: the host offers none. A failure
 * leaves an older catalog in place and is then only logged.
 */
int name_list_catalog(struct namespace *ns, struct name *dir, struct err *e);
/* The same with the tags of the repository @dir. -ENOENT, -EACCES. */
int name_list_tags(struct namespace *ns, struct name *dir, struct err *e);

/* The source of the repository @dir, which stays in the tree. No network. */
int name_list_open_repository(struct namespace *ns, struct name *dir,
			      struct image_source **out, struct err *e);
/* After a question about @dir: notes that its host did not answer, if @rc says so (-EIO). */
void name_list_note_failure(struct namespace *ns, struct name *dir, int rc);

#endif
