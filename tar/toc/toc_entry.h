/* SPDX-License-Identifier: MIT */
/*
 * One entry of a layer's table of contents, as the JSON has it. toc.c builds the tree.
 *
 *	key		value
 *	name		path in the layer
 *	type		dir reg symlink hardlink char block fifo, or chunk: one more
 *			piece of the `reg` entry before
 *	size		of a regular file
 *	modtime		RFC 3339
 *	linkName	of a symlink or hard link
 *	mode		07777
 *	uid gid		(userName and groupName are not used)
 *	devMajor devMinor
 *	xattrs		{name: base64}
 *	digest		of the whole file
 *	offset		in the blob: where the gzip member or zstd frame of the piece begins
 *	innerOffset	of the piece in that member, decoded
 *	endOffset	in the blob: the end of all of the file's pieces
 *	chunkOffset	of the piece in the file
 *	chunkSize	0 or absent: to the end of the file
 *	chunkDigest	of the piece, decoded
 *	chunkType	"zeros": a hole
 *
 * Absent keys are zero, as in Go's encoder. Keys are matched without regard to case, as
 * in Go's decoder.
 */
#ifndef TAR_TOC_TOC_ENTRY_H
#define TAR_TOC_TOC_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/digest.h"
#include "tar/archive/pax.h"

struct err;
struct json_event;

enum toc_type {
	TOC_NONE, /* absent */
	TOC_DIR,
	TOC_REG,
	TOC_SYMLINK,
	TOC_HARDLINK,
	TOC_CHAR,
	TOC_BLOCK,
	TOC_FIFO,
	TOC_CHUNK,
};

/* The name and value of an xattr: offsets in toc_entry.bytes. */
struct toc_xattr {
	size_t name;
	size_t value;
	size_t len;
};

struct toc_entry {
	enum toc_type type;
	struct buf name;
	struct buf link;
	uint64_t size;
	uint32_t mode;
	uint32_t uid;
	uint32_t gid;
	uint32_t dev_major;
	uint32_t dev_minor;
	int64_t mtime;
	uint32_t mtime_ns;
	struct digest digest; /* DIGEST_NONE if absent */
	uint64_t offset;
	uint64_t inner_offset;
	uint64_t end_offset;
	uint64_t chunk_offset;
	uint64_t chunk_size;
	struct digest chunk_digest;
	bool is_zeros;
	struct buf bytes; /* the xattrs: each name with a NUL, each value */
	size_t names_len; /* length of all names with their NULs */
	size_t n_xattrs;
	struct toc_xattr xattrs[PAX_MAX_XATTRS];
};

void toc_entry_init(struct toc_entry *t);
void toc_entry_release(struct toc_entry *t);
/* Makes all fields absent but keeps the memory. */
void toc_entry_clear(struct toc_entry *t);

/* Fills an entry from the JSON events between its braces. */
struct toc_reader {
	struct toc_entry *entry;
	int field; /* of the last key; private to toc_entry.c */
};

/* @depth is that of the entry's own keys. 0, -EBADMSG, -E2BIG, -ENOTSUP or -ENOMEM. */
int toc_reader_take(struct toc_reader *r, const struct json_event *ev, size_t depth,
		    struct err *e);

#endif
