/* SPDX-License-Identifier: MIT */
/*
 * The layout of an index file. index.c and index_map.c read it, writer.c and flat.c make
 * it.
 *
 *	     0  head, one page: struct index_head, zeros
 *	  4096  sections, each aligned to 8, in any order, none overlapping:
 *
 *		ENTRIES   struct index_row each, in breadth-first order: entry 0 is the
 *			  root, a directory's children are one run, sorted by name; a
 *			  child's number is above its parent's, so no walk can loop.
 *			  Behind the last name come inodes that lost their name to a
 *			  later entry, but not the hard links made before.
 *		STRINGS   names and link texts, unterminated, no order
 *		UNITS     of 32 bytes, in the order in which the archive was read, so that
 *			  they need no memory. Unit i has the number i + 1. Each item begins
 *			  at a unit:
 *			    SHA-256 of contents
 *			    struct index_span_row
 *			    packed windows
 *			    lists of xattrs: u32 bytes that follow, then for each xattr
 *			      u16 name length, u16 zero, u32 value length, name, value
 *			    lists of extents: u64 n, u64 stored bytes, n x struct
 *			      index_extent_row
 *		SPANS     u32 each, the unit of the row, in order of `out`
 *		FOREIGN   u32 entry numbers
 *		SKIPPED   lines of text
 *
 *	 then   BLOCKS: u32 CRC-32 for each 64 KiB of [4096, here)
 *	 then   u32 INDEX_END, which is checked before any data is returned: a file that
 *		was cut short while it is mapped has lost it
 *
 * Numbers are in the machine's own byte order and alignment: the file is a cache of this
 * machine. A file of the other byte order has another magic, and is rebuilt.
 *
 * Cost, for a Debian root of 10,000 entries: 72 bytes for a row, 32 for a digest, 17 for
 * the name; 100 for a span and a window of 3 KiB for each MiB of output.
 *
 * Rejected: sqlite or another database (parsing and a heap for data that never changes),
 * EROFS metadata (no place for spans and digests), a checksum over the whole file
 * (opening would read all of it; blocks are checked when they are first touched).
 */
#ifndef TAR_INDEX_FORMAT_H
#define TAR_INDEX_FORMAT_H

#include <stdint.h>

#define INDEX_MAGIC \
	UINT64_C(0x3158444e49454550) /* "PEEINDX1" on a little-endian machine */
#define INDEX_VERSION	  4
#define INDEX_END	  0x21444e45 /* "END!" */
#define INDEX_HEAD_SIZE	  4096
#define INDEX_BLOCK_SHIFT 16
#define INDEX_BLOCK	  (1u << INDEX_BLOCK_SHIFT)
#define INDEX_UNIT	  32

/*
 * Ceilings. Real layers have less than a million entries. At eight million the builder
 * needs about 1 GiB; a malicious archive is stopped there.
 */
#define INDEX_ENTRIES_MAX (8u << 20)
/* The limit of every file system that images are unpacked to. Whiteouts may have 4 more. */
#define INDEX_NAME_MAX	 255
#define INDEX_MARKER	 ".wh."
#define INDEX_MARKER_LEN 4
#define INDEX_PATH_MAX	 4095 /* PATH_MAX without its NUL: no tool can name a longer path */

enum index_section {
	SECTION_ENTRIES,
	SECTION_STRINGS,
	SECTION_UNITS,
	SECTION_SPANS,
	SECTION_FOREIGN,
	SECTION_SKIPPED,
	N_SECTIONS,
};

struct index_place {
	uint64_t off; /* in the file */
	uint64_t len; /* bytes */
};

struct index_head {
	uint64_t magic;
	uint32_t version;
	uint32_t crc; /* of this struct with crc = 0 */
	uint64_t file_size;
	struct index_place sections[N_SECTIONS];
	struct index_place blocks;
	uint32_t blocks_crc; /* of the BLOCKS table */
	uint32_t n_skipped;
	uint64_t blob_size;
	uint64_t decoded_size;
	uint64_t content_size;
	uint8_t compression;
	uint8_t has_xattrs;
	uint8_t digest_alg;
	uint8_t basis; /* enum index_basis */
	uint8_t toc_alg;
	uint8_t has_sparse;
	uint8_t zero[2];
	uint8_t digest[64];
	uint8_t toc[64]; /* digest of the table that the index was made from */
};

struct index_row {
	uint64_t size;
	/* regular: decoded offset, or the unit of the extents if ENTRY_SPARSE */
	uint64_t data;
	int64_t mtime;
	uint32_t mtime_ns;
	uint16_t mode;	    /* S_IFMT and 07777 */
	uint16_t flags : 7; /* enum entry_flag */
	uint16_t name_len : 9;
	uint32_t uid;
	uint32_t gid;
	uint32_t parent;
	uint32_t inode;
	uint32_t nlink;
	uint32_t a;	 /* first child; rdev major; offset of the link text in STRINGS */
	uint32_t b;	 /* number of children; rdev minor; length of the link text */
	uint32_t name;	 /* offset in STRINGS */
	uint32_t xattrs; /* these two are units; 0 if none */
	uint32_t digest;
};

struct index_extent_row {
	uint64_t off; /* in the file */
	uint64_t len;
	uint64_t data; /* decoded offset */
};

struct index_span_row {
	uint64_t in;
	uint64_t in_len;
	uint64_t out;
	uint64_t skip;
	uint32_t window; /* unit */
	uint32_t window_len;
	uint32_t out_len;
	uint32_t crc;
	uint8_t kind;
	uint8_t bits;
	uint8_t has_crc;
	uint8_t digest_is_of_output;
	uint32_t zero[3];
	uint8_t digest[32];
};

_Static_assert(sizeof(struct index_head) == 304, "index_head is a file format");
_Static_assert(sizeof(struct index_row) == 72, "index_row is a file format");
_Static_assert(sizeof(struct index_extent_row) == 24,
	       "index_extent_row is a file format");
_Static_assert(sizeof(struct index_span_row) == 3 * INDEX_UNIT,
	       "index_span_row is a file format");

#endif
