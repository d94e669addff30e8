/* SPDX-License-Identifier: MIT */
/*
 * The input of the texts about an image: plain data, all of it borrowed from the caller.
 */
#ifndef FS_TEXT_FACTS_H
#define FS_TEXT_FACTS_H

#include <stdbool.h>
#include <stdint.h>

struct history;
struct image;

struct layer_facts {
	const char *
		error; /* why the layer is broken; NULL: it is not, and these are known: */
	uint32_t n_entries;
	uint32_t n_skipped;	    /* entries that cannot be shown */
	uint64_t compressed_size;   /* of the blob */
	uint64_t uncompressed_size; /* of the tar in it */
	uint64_t files_size;	    /* sum over its regular files */
};

struct image_facts {
	const struct image *image;
	const struct history *history; /* of an artifact: without steps */
	const struct layer_facts
		*layers;  /* image->n_layers of them; NULL: not known, or an artifact */
	const char *path; /* absolute, of the image's directory, which has rootfs/; NULL:
				 nothing is mounted */
	bool has_index_blobs; /* oci/ has the whole index, not this image alone */
};

#endif
