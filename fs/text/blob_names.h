/* SPDX-License-Identifier: MIT */
/*
 * The paths of an artifact's blobs in files/. A title (org.opencontainers.image.title) with
 * slashes is a path, so files/ has directories. A blob that ORAS packed from a directory
 * (io.deis.oras.content.unpack) has two names: the title is what the directory was, and the
 * title with ".tar.gz" is the blob. Titles are foreign text: see title_clean().
 */
#ifndef FS_TEXT_BLOB_NAMES_H
#define FS_TEXT_BLOB_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct descriptor;

/* More levels or directories than titles have; further titles are names and not paths. */
#define BLOB_NAMES_DEPTH_MAX 16
#define BLOB_NAMES_DIRS_MAX  4096

struct blob_name {
	char *file;   /* the name of the blob */
	char *packed; /* of the directory that is packed in it; or NULL */
	uint32_t
		dir; /* that has both: 0 is files/ itself, else the number of dirs[dir - 1] */
};

struct blob_dir {
	char *name;
	uint32_t parent; /* as blob_name.dir, and less than its own number */
};

struct blob_names {
	struct blob_name *list; /* one for each blob */
	size_t n;
	struct blob_dir *dirs; /* none of them empty */
	size_t n_dirs;
};

/*
 * Names @n blobs, which get the first name that is free in the order of the list:
 *
 *	its title as a path, if every part of that is a name. Parts before the last are
 *	directories, which may have been made for earlier blobs, but are no earlier file.
 *	the title as one name, with '_' for each slash, if it is no such path ("../a", "/a")
 *	its number from 1, digest and an extension for its media type:
 *	"2-0123456789ab.tar.gz", packed: "2-0123456789ab"
 *
 * 0 or -ENOMEM; release @out in any case.
 */
int blob_names_make(const struct descriptor *blobs, size_t n, struct blob_names *out);
/* All zero is fine, and what it leaves. */
void blob_names_release(struct blob_names *names);

/* Is the blob the archive of a directory that is shown? */
bool blob_is_packed(const struct descriptor *d);
/*
 * The part of @d's title after *@at (0 to begin), which is moved: where in the archive of a
 * packed blob its directory is. Borrowed, not NUL-terminated; NULL at the end. "." is left out.
 */
const char *blob_next_part(const struct descriptor *d, size_t *at, size_t *len);

#endif
