/* SPDX-License-Identifier: MIT */
/* The names that containers/storage gives to layers. Pure. */
#ifndef FS_IMAGESTORE_LAYER_ID_H
#define FS_IMAGESTORE_LAYER_ID_H

struct digest;

/* 64 hexadecimal digits and NUL. */
#define LAYER_ID_MAX 65
/* 26 characters of A-Z and 2-7, and NUL. */
#define LAYER_LINK_MAX 27

/*
 * The ID of a layer above @parent (NULL: it is the lowest), from its diff ID. 0; -ENOTSUP if
 * the diff ID is no SHA-256; -ENOMEM.
 */
int layer_id_make(const char *parent, const struct digest *diff_id,
		  char out[LAYER_ID_MAX]);
/*
 * The short name of a layer, which the options of an overlay mount use. Engines make a random
 * one; this one is made of the ID, so it is the same in each mount. 0, -ENOMEM.
 */
int layer_id_link(const char *id, char out[LAYER_LINK_MAX]);

#endif
