/* SPDX-License-Identifier: MIT */
/* The images in a store that layers belong to. One thread. */
#ifndef FS_CTL_OWNERS_H
#define FS_CTL_OWNERS_H

struct digest;
struct owners;
struct store;

/* Reads the notes and manifests of the store. 0 or a negative errno. */
int owners_new(struct store *s, struct owners **out);
void owners_free(struct owners *o);
/* Calls @fn with each image that has the layer, in the order of the names. */
void owners_each(const struct owners *o, const struct digest *layer,
		 void (*fn)(void *arg, const char *name, const struct digest *manifest),
		 void *arg);

#endif
