/* SPDX-License-Identifier: MIT */
/*
 * The form in which an index of a layer is pushed to a registry. It is independent of the
 * machine and of the version of the index file, and the same layer gives the same bytes. The
 * blob is one zstd frame of this:
 *
 *	magic, 8 bytes
 *	numbers		digest algorithm (enum digest_alg), size of the layer's blob, decoded
 *			size, compression (enum compression), entries, spans, entries that
 *			are left out
 *	bytes		the layer's digest
 *	numbers		the length of each column
 *	columns		in the order of enum pushed_column
 *
 * A number has 7 bits in each byte, the lowest first; all bytes but the last have the top bit
 * set. A signed number n is 2n, or -2n - 1. A text ends with a NUL.
 *
 * Entries are in the order of the index: breadth first, a directory's children by name. So the
 * numbers of children tell the tree. Files have no digest, because nothing could vouch for it.
 *
 * Each column has one kind of fact, and only for the entries that have it. That alone makes
 * the packed form a third smaller.
 */
#ifndef TAR_TOC_PUSHED_FORMAT_H
#define TAR_TOC_PUSHED_FORMAT_H

#include <stdint.h>

#define PUSHED_MAGIC	 "PEELIDX\x01"
#define PUSHED_MAGIC_LEN 8

/*
 * Ceilings: a million entries, which the builder of the tree needs about 100 MiB for, in at
 * most 128 bytes each. Real ones take 30.
 */
#define PUSHED_ENTRIES_MAX (1u << 20)
#define PUSHED_RAW_MAX	   (128u << 20)
#define PUSHED_SIZE_MAX	   (64u << 20)

enum pushed_column {
	PUSHED_FLAGS,	 /* of all entries: a byte, enum pushed_flag */
	PUSHED_NAMES,	 /* of all but the root: a text */
	PUSHED_CHILDREN, /* of all: their number */
	PUSHED_MODES,  /* these five of all that are neither links nor implied: 2 bytes */
	PUSHED_OWNERS, /* uid, gid */
	PUSHED_TIMES,  /* signed: seconds since the entry before */
	PUSHED_NANOS,
	PUSHED_XATTRS,	/* the number of a list, from 1; 0: none */
	PUSHED_SIZES,	/* of regular files */
	PUSHED_PLACES,	/* of those with content: see pushed_next_place() */
	PUSHED_TEXTS,	/* of symlinks and links to lower layers */
	PUSHED_TARGETS, /* of hard links: the number of the entry */
	PUSHED_DEVICES, /* major, minor */
	/* how many; of each: how many xattrs; of each: name as a text, length, value */
	PUSHED_XATTR_LISTS,
	/* in: signed, from the end of the one before; bytes in; bytes out; skip; kind; bits */
	PUSHED_SPANS,
	PUSHED_SUMS,	/* of spans: digest_is_of_output, SHA-256, has_crc, CRC-32 */
	PUSHED_WINDOWS, /* of spans: the length of window_write_runs(), and that */
	PUSHED_SKIPPED, /* lines */
	N_PUSHED_COLUMNS,
};

enum pushed_flag {
	PUSHED_IMPLIED = 1 << 0, /* a directory that is not in the archive */
	PUSHED_HARDLINK = 1 << 1,
	PUSHED_FOREIGN = 1 << 2, /* a hard link to a path that is not in the layer */
};

/*
 * Where the next content is, if nothing but one header is between: a place is stored as the
 * signed difference to that.
 */
static inline uint64_t pushed_next_place(uint64_t data, uint64_t stored)
{
	return ((data + stored + 511) & ~UINT64_C(511)) + 512;
}

#endif
