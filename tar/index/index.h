/* SPDX-License-Identifier: MIT */
/*
 * The index of a layer: its tree and its spans, in one immutable file that is mapped and
 * used in place. format.h draws it byte by byte.
 *
 * Opening parses nothing, and memory does not grow with the number of entries. The file
 * is untrusted: each block is checked against its checksum when it is first touched, and
 * each number against its bounds whenever it is used. Damage is -EBADMSG. The caller then
 * drops the index and builds a new one.
 *
 * An entry's id is its position in the table. Entry 0 is the root of the layer. The
 * children of a directory are one run of ids, ordered by name (as bytes). Every directory
 * on the way to an entry has an entry; it is implied (ENTRY_IMPLIED) if the archive has
 * none.
 *
 * All calls but open and close: any thread, no lock.
 */
#ifndef TAR_INDEX_INDEX_H
#define TAR_INDEX_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "tar/codec/compression.h"
#include "tar/codec/span.h"

struct err;
struct index;

enum entry_flag {
	ENTRY_IMPLIED = 1 << 0, /* a directory that is not in the archive */
	/* a directory that hides the same directory of lower layers */
	ENTRY_OPAQUE = 1 << 1,
	/* ".wh.NAME" or char 0:0: hides a name of lower layers */
	ENTRY_WHITEOUT = 1 << 2,
	ENTRY_WHITEOUTS = 1 << 3, /* a directory with whiteouts among its children */
	ENTRY_SPARSE = 1 << 4,
	/*
	 * A hard link to a path that is not in this layer (`link`: cleaned, relative to
	 * the root). It refers to the path in the lower layers.
	 */
	ENTRY_FOREIGN = 1 << 5,
};

/* Pointers are borrowed from the index. */
struct entry {
	uint32_t id;
	/* the entry that has the inode: this one, or the target of a hard link */
	uint32_t inode;
	uint32_t parent;
	uint16_t flags; /* enum entry_flag */
	uint32_t mode;	/* S_IFMT and 07777; 0 except the type if ENTRY_FOREIGN */
	uint32_t uid;
	uint32_t gid;
	uint32_t nlink; /* names in this layer; for a directory, 2 + its subdirectories */
	int64_t mtime;
	uint32_t mtime_ns;
	uint32_t rdev_major;
	uint32_t rdev_minor;
	/*
	 * as st_size: for a symlink, its length; for a directory, the number of children
	 */
	uint64_t size;
	/* regular: decoded offset of the content, or see index_extent() */
	uint64_t data;
	uint32_t first_child;
	uint32_t n_children;
	/* not NUL-terminated; "" for the root and for inodes without a name */
	const char *name;
	size_t name_len;
	const char *link; /* symlink text or foreign target, not NUL-terminated */
	size_t link_len;
	uint64_t xattrs; /* for index_xattr(); 0 if none */
	/* SHA-256 of the content of a regular file; NULL if empty or unknown */
	const uint8_t *digest;
};

/*
 * What an index was made from. A table of contents is trusted by its own digest: a reader
 * that has only the digest of the blob must not use an index made from a table.
 */
enum index_basis {
	BASIS_STREAM,  /* the whole layer, whose digest was verified */
	BASIS_ESTARGZ, /* the table of contents embedded in an eStargz layer */
	BASIS_CHUNKED, /* the table of contents embedded in a zstd:chunked layer */
	BASIS_SOCI,    /* an external SOCI index of the layer */
	BASIS_PUSHED, /* an index that peelfs pushed to the registry (tar/toc/pushed.h) */
};

/* "streamed", "estargz", "zstd:chunked", "soci", "pushed" */
const char *index_basis_name(enum index_basis basis);

/*
 * Is it from outside the layer, so that nothing but the word of the registry says that it is of
 * this layer?
 */
static inline bool index_basis_is_external(enum index_basis basis)
{
	return basis == BASIS_SOCI || basis == BASIS_PUSHED;
}

/*
 * Do the decoded bytes of such a layer include all of its archive? Those of a table that is
 * embedded in a layer may be the contents of files alone.
 */
static inline bool index_basis_is_whole(enum index_basis basis)
{
	return basis == BASIS_STREAM || index_basis_is_external(basis);
}

/* What the head of the file says. */
struct index_info {
	/* set by the maker of the index */
	struct digest blob;
	uint64_t blob_size;    /* compressed bytes */
	uint64_t decoded_size; /* decoded bytes, all of them */
	enum compression compression;
	enum index_basis basis;
	struct digest toc; /* of the table; DIGEST_NONE if BASIS_STREAM */
	/* computed */
	uint64_t content_size; /* sum of the sizes of the regular files */
	uint64_t file_size;    /* of the index */
	uint32_t n_entries;
	uint32_t n_spans;
	uint32_t n_foreign; /* number of entries with ENTRY_FOREIGN */
	uint32_t n_skipped; /* entries of the archive that could not be represented */
	bool has_xattrs;
	bool has_sparse; /* there are files with holes */
};

/*
 * Takes @fd, even on failure. -EBADMSG if the file is not an index of this version for
 * @blob, or if its size, head or bounds are wrong.
 */
int index_open(int fd, const struct digest *blob, struct index **out, struct err *e);
void index_close(struct index *ix);
const struct index_info *index_info(const struct index *ix);

/* 0, -ENOENT if there is no such id, -EBADMSG for damage. */
int index_entry(const struct index *ix, uint32_t id, struct entry *out);
/* Finds a child by name. 0, -ENOENT or -EBADMSG. */
int index_find(const struct index *ix, const struct entry *dir, const char *name,
	       size_t len, struct entry *out);

/*
 * Gets the next xattr of an entry. *pos is entry->xattrs at first, which must not be 0;
 * each call advances it, and it is 0 after the last xattr. 0 or -EBADMSG.
 */
struct xattr {
	const char *name; /* not NUL-terminated */
	size_t name_len;
	const void *value;
	size_t value_len;
};
int index_xattr(const struct index *ix, uint64_t *pos, struct xattr *out);

/*
 * Finds the place of the content of a regular file at @off, which must be below the size;
 * *len must not be 0. *len is shortened to what is contiguous. *data is the decoded
 * offset, or UINT64_MAX for a hole. 0 or -EBADMSG.
 */
int index_extent(const struct index *ix, const struct entry *file, uint64_t off,
		 uint64_t *len, uint64_t *data);
/* The bytes of content that are stored: the size without the holes. 0 or -EBADMSG. */
int index_stored(const struct index *ix, const struct entry *file, uint64_t *stored);

/* Gets span @i. 0, -ENOENT or -EBADMSG. */
int index_span(const struct index *ix, uint32_t i, struct span *out);
/* Finds the number of the span that has the decoded byte at @out_off. */
int index_span_at(const struct index *ix, uint64_t out_off, uint32_t *i);
/* The same, and gets that span. -EBADMSG if there is none. */
int index_span_of(const struct index *ix, uint64_t out_off, uint32_t *i,
		  struct span *out);

/* Gets the entry id of foreign link @i. */
int index_foreign(const struct index *ix, uint32_t i, uint32_t *id);
/* What could not be represented: lines of text, cut after the first 16 KiB. Borrowed. */
int index_skipped(const struct index *ix, const char **text, size_t *len);

/* Was a block with a wrong checksum found since the last call? */
bool index_take_damage(const struct index *ix);
/* Reads and checks every block of the file. 0 or -EBADMSG. */
int index_verify(const struct index *ix);

#endif
