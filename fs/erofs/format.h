/* SPDX-License-Identifier: MIT */
/*
 * EROFS on disk, as far as it is used here: uncompressed, blocks of 4 KiB, extended inodes.
 * All numbers are little-endian.
 *
 *	superblock, at byte 1024
 *	0 magic  4 checksum  8 compatible features  12 log2 of the block size  14 root nid
 *	16 number of inodes  24 epoch  36 blocks  40 first block of inodes  48 uuid
 *	80 incompatible features
 *
 *	inode, at byte 32 * nid
 *	0 layout << 1 | 1  2 size of the xattrs  4 mode  8 size  16 place  20 ino  24 uid
 *	28 gid  32 mtime  40 nanoseconds  44 nlink
 *	64 xattrs, then the inline tail, or the addresses of chunks
 *
 *	xattrs: a head of 12 bytes, all zero here, then entries, each padded to 4
 *	0 length of the name  1 prefix  2 length of the value  4 name, value
 *
 *	directory block: entries, then their names without NULs
 *	0 nid  8 offset of the name in the block  10 type
 */
#ifndef FS_EROFS_FORMAT_H
#define FS_EROFS_FORMAT_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

#define EROFS_BLOCK_BITS 12
#define EROFS_BLOCK	 (1u << EROFS_BLOCK_BITS)

#define EROFS_SUPER_AT	   1024
#define EROFS_SUPER_SIZE   128
#define EROFS_UUID_SIZE	   16
#define EROFS_MAGIC	   0xe0f5e1e2u
#define EROFS_HAS_CHECKSUM 1u /* compatible */
#define EROFS_HAS_MTIME	   2u /* compatible: times are of changes of contents */
#define EROFS_HAS_CHUNKS   4u /* incompatible */

#define EROFS_NID_UNIT	 32
#define EROFS_INODE_SIZE 64
#define EROFS_PLACE_AT	 16 /* in an inode */

/* What `place` is: the first block; the same, but the last part follows the xattrs; a chunk. */
#define EROFS_PLAIN  0u
#define EROFS_INLINE 2u
#define EROFS_CHUNKS 4u /* log2 of the blocks in a chunk */

#define EROFS_HOLE	     0xffffffffu
#define EROFS_CHUNK_BITS_MAX 31

#define EROFS_XATTR_HEAD  12
#define EROFS_XATTR_ENTRY 4
#define EROFS_DIRENT	  12
#define EROFS_NAME_MAX	  255

static inline void put_le16(void *p, uint16_t v)
{
	v = htole16(v);
	memcpy(p, &v, sizeof(v));
}

static inline void put_le32(void *p, uint32_t v)
{
	v = htole32(v);
	memcpy(p, &v, sizeof(v));
}

static inline void put_le64(void *p, uint64_t v)
{
	v = htole64(v);
	memcpy(p, &v, sizeof(v));
}

#endif
