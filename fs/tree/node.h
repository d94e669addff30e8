/* SPDX-License-Identifier: MIT */
/*
 * Node ids, which encode what they stand for. So no table is kept of the inodes that the
 * kernel knows, forget has nothing to do, and any id can be served at any time.
 *
 *	63 62                   42          32                               0
 *	+----+--------------------+-----------+--------------------------------+
 *	|kind|  image             |  row      |  parameter                     |  synthetic
 *	|    |  number of the layer in the    |  entry that holds the inode    |  file
 *	|    |  mount                         |                                |
 *	|    |  image             |  layer    |  entry of the directory        |  merged
 *	|    |  image             |  layer    |  entry                         |  raw
 *	+----+--------------------+-----------+--------------------------------+
 *
 * A file is an entry of a layer of the mount, whatever images show it, so it has one page
 * cache. A directory belongs to one image, because the kernel allows a directory only one
 * place. A merged directory is named after its path's entry in the topmost layer that
 * contributes to it. FUSE_ROOT_ID (1) follows from this: the top directory of image 0.
 *
 * What users see is another number, st_ino. It is made of what a thing is, so it is the same
 * in every image, mount and process. All of a mount has one st_dev, so programs take two
 * names with the same st_ino for one file. The number must deserve that:
 *
 *	merged directory	the layers and entries that contribute to it
 *	synthetic		the manifest, and the image's place in the mount, which
 *				the content mentions
 *	file with one name	its path in the image, mode, owner, time, xattrs, and the
 *	and known content	digest of its content: identity.h
 *	any other file		its layer and entry
 *
 * diff(1) compares nothing of two names of one inode, not even st_nlink. That is the purpose
 * of these numbers, and the reason why everything that diff compares must be equal.
 * cp(1) and mv(1) refuse to copy a file to itself, and find -samefile and test -ef report
 * files as the same; so within one tree two names must not share a number by accident,
 * however equal they are, such as the licences of two packages: the path is part of it.
 * tar(1), rsync -H, cp -a and git(1) look at the number where st_nlink is more than 1: such
 * files have the number of their place. du(1) does too, but given several directories it
 * looks at every file, and counts what is in two of them once, as it is stored once.
 *
 * With 64 bits two of a million files share a number in one of 40 million images. To make a
 * file with the number of a given one takes 2^64 attempts; to make two files of one's own
 * with the same number takes some 2^32. -o ino=unique gives every file the number of its
 * place.
 */
#ifndef FS_TREE_NODE_H
#define FS_TREE_NODE_H

#include <stddef.h>
#include <stdint.h>

struct digest;

enum node_kind {
	NODE_SYNTHETIC, /* a document of ours, or a directory around such */
	NODE_FILE,	/* of a layer, anything but a directory */
	NODE_MERGED,	/* a directory of an image's merged tree */
	NODE_RAW,	/* a directory of one layer, as it is */
};

#define NODE_IMAGES_MAX	      (1u << 20)
#define NODE_LAYERS_MAX	      (1u << 10) /* of one image */
#define NODE_MOUNT_LAYERS_MAX (1u << 30)

struct node {
	enum node_kind kind;
	uint32_t image; /* not of a file */
	uint32_t
		layer; /* of a file: its number in the mount; else in the image, or a row */
	uint32_t entry; /* or parameter */
};

uint64_t node_pack(const struct node *n);
void node_unpack(uint64_t id, struct node *out);

/* A layer's part in every st_ino that says a place. */
uint64_t node_seed(const struct digest *layer);
/* st_ino of an inode of a layer, by its place. Never 0 or 1. */
uint64_t node_ino(uint64_t seed, uint32_t entry);
/* Adds a member to a list that began as 0; node_ino_end() makes an st_ino of the list. */
uint64_t node_ino_add(uint64_t sum, uint64_t seed, uint32_t entry);
uint64_t node_ino_end(uint64_t sum);

#endif
