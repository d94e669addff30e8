/* SPDX-License-Identifier: MIT */
/*
 * From a name in a directory of a namespace to what it is: a host, a part of a path, a tag,
 * an image. What is not known, or not recently enough, is asked of the registry.
 */
#ifndef FS_NAMES_NAME_LOOKUP_H
#define FS_NAMES_NAME_LOOKUP_H

struct item;
struct name;
struct namespace;
struct waiter;

/*
 * Any thread; may wait for the network: -EINTR. @out is set for -ENOENT, too: it says for
 * how long that holds. Failures are logged; an errno for a program.
 */
int name_lookup(struct namespace *ns, struct name *dir, const char *name,
		struct waiter *w, struct item *out);

#endif
