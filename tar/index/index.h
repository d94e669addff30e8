/* SPDX-License-Identifier: MIT */
/*
 * A layer's index: its tree and its spans, in one immutable file that is mapped and
 * used in place. index.c draws it byte by byte.
 *
 * Nothing is parsed at opening, and no memory grows with the entries. The file is
 * foreign: each block of it is checked against its checksum when it is first
 * touched, and each number against its bounds whenever it is used. A damaged one
 * gives -EBADMSG; the caller drops it and builds it anew.
 *
 * An entry's id is its place in the table: entry 0 is the layer's root, the
 * children of a directory are one run of ids in order of their names (as bytes).
 * Every directory on the way to an entry has an entry, made up (ENTRY_IMPLIED) if
 * the archive has none.
 *
 * All calls but open and close: any thread, no lock.
 */
#ifndef TAR_INDEX_INDEX_H
#define TAR_INDEX_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "tar/codec/span.h"
#include "tar/index/facts.h"

struct err;
struct index;

enum entry_flag {
	ENTRY_IMPLIED = 1 << 0, /* a directory that the archive does not mention */
	ENTRY_OPAQUE = 1 << 1,	/* a directory that hides its namesakes in lower layers */
	ENTRY_WHITEOUT =
		1 << 2, /* ".wh.NAME" or char 0:0: hides a name of lower layers */
	ENTRY_WHITEOUTS = 1 << 3, /* a directory with whiteouts among its children */
	ENTRY_SPARSE = 1 << 4,
	/*
	 * A hard link to a path that this layer does not have (`link`: cleaned, relative to
	 * the root): it binds to what the lower layers show there.
	 */
	ENTRY_FOREIGN = 1 << 5,
};

/* Pointers are borrowed from the index. */
struct entry {
	uint32_t id;
	/* the entry that holds the inode: itself, or a hard link's target */
	uint32_t inode;
	uint32_t parent;
	uint16_t flags; /* enum entry_flag */
	uint32_t mode;	/* S_IFMT and 07777; 0 for type alone if ENTRY_FOREIGN */
	uint32_t uid;
	uint32_t gid;
	uint32_t nlink; /* names in this layer; of a directory: 2 + its directories */
	int64_t mtime;
	uint32_t mtime_ns;
	uint32_t rdev_major;
	uint32_t rdev_minor;
	/* as st_size: of a symlink, its length; of a directory, its children */
	uint64_t size;
	/* regular: decoded offset of the content, or see index_extents() */
	uint64_t data;
	uint32_t first_child;
	uint32_t n_children;
	/* not NUL-terminated; "" for the root and for nameless inodes */
	const char *name;
	size_t name_len;
	const char *link; /* symlink text or foreign target, not NUL-terminated */
	size_t link_len;
	uint64_t xattrs; /* for index_xattr(); 0: none */
	/* SHA-256 of the content of a regular file, or NULL if empty */
	const uint8_t *digest;
};

/* "streamed", "estargz", "zstd:chunked", "soci" */
const char *index_basis_name(enum index_basis basis);

/* The head of the file. */
struct index_info {
	struct digest blob;
	enum index_basis basis;
	struct digest toc;     /* of the table; DIGEST_NONE if BASIS_STREAM */
	uint64_t blob_size;    /* compressed bytes */
	uint64_t decoded_size; /* decoded bytes, all of them */
	uint64_t content_size; /* sum of the sizes of the regular files */
	uint32_t n_entries;
	uint32_t n_spans;
	uint32_t n_foreign; /* entries with ENTRY_FOREIGN */
	uint32_t n_skipped; /* entries of the archive that cannot be shown */
	bool has_xattrs;
	bool has_sparse; /* files with holes */
	enum compression compression;
};

/*
 * Takes @fd, also on failure. -EBADMSG if it is no index of this version for the
 * blob, or its size, head or bounds are wrong.
 */
int index_open(int fd, const struct digest *blob, struct index **out, struct err *e);
/* NULL is fine. */
void index_close(struct index *ix);
const struct index_info *index_info(const struct index *ix);

/* 0, -ENOENT for no such id, -EBADMSG for damage. */
int index_entry(const struct index *ix, uint32_t id, struct entry *out);
/* A child by name: 0, -ENOENT, -EBADMSG. */
int index_find(const struct index *ix, const struct entry *dir, const char *name,
	       size_t len, struct entry *out);

/*
 * The next xattr of an entry: *pos is entry->xattrs at first (not 0), and is moved on;
 * it is 0 after the last one. 0 or -EBADMSG.
 */
struct xattr {
	const char *name; /* not NUL-terminated */
	size_t name_len;
	const void *value;
	size_t value_len;
};
int index_xattr(const struct index *ix, uint64_t *pos, struct xattr *out);

/*
 * Where the content of [off, ...) of a regular file is, one run: @len is shortened to
 * what is contiguous, and *data is the decoded offset, or UINT64_MAX for a hole. @off
 * must be below the size and *len > 0. 0 or -EBADMSG.
 */
int index_extent(const struct index *ix, const struct entry *file, uint64_t off,
		 uint64_t *len, uint64_t *data);
/* Bytes of content that are stored: the size less the holes. 0 or -EBADMSG. */
int index_stored(const struct index *ix, const struct entry *file, uint64_t *stored);

/* The i-th span. 0, -ENOENT, -EBADMSG. */
int index_span(const struct index *ix, uint32_t i, struct span *out);
/* The number of the span that holds the decoded byte at @out_off. */
int index_span_at(const struct index *ix, uint64_t out_off, uint32_t *i);

/* The i-th foreign link's entry id. */
int index_foreign(const struct index *ix, uint32_t i, uint32_t *id);
/* What could not be shown: lines of text, the first ones if there were many. Borrowed. */
int index_skipped(const struct index *ix, const char **text, size_t *len);

/* Was a block found, since this was last asked, whose checksum is wrong? */
bool index_take_damage(const struct index *ix);
/* Reads and checks every block of the file. 0 or -EBADMSG. */
int index_verify(const struct index *ix);

#endif
