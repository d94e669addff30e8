/* SPDX-License-Identifier: MIT */
/* The catalog of a host: the list of its repositories, which only some hosts offer. */
#ifndef FS_NAMES_NAME_CATALOG_H
#define FS_NAMES_NAME_CATALOG_H

struct err;
struct name;
struct namespace;

/*
 * Brings the tree up to date with the catalog of the host of @dir, unless that was done
 * recently or another thread does it, which is waited for. 0; -ENOTSUP: the host offers
 * none; else a negative errno and a sentence. A failure leaves an older catalog in place
 * and is then only logged.
 */
int name_catalog_refresh(struct namespace *ns, struct name *dir, struct err *e);

#endif
