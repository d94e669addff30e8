/* SPDX-License-Identifier: MIT */
/* Tables of contents that a registry keeps beside an image's layers (SOCI). */
#ifndef FS_TABLES_H
#define FS_TABLES_H

struct image;
struct mount;
struct origin;

/*
 * Finds those of the image's layers, if -o index= allows it; asks the registry only if a
 * layer that may have one has no index in the store.
 */
void tables_find(struct mount *m, struct origin *o, struct image *img);

#endif
