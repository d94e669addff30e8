/* SPDX-License-Identifier: MIT */
/*
 * Node ids that say what they are, so that nothing is kept for an inode that the
 * kernel knows: forget has nothing to do, and any id can be served at any time.
 *
 *	63 62                   42          32                               0
 *	+----+--------------------+-----------+--------------------------------+
 *	|kind|  image             |  row      |  parameter                     |  synthetic
 *	|    |  slot of the layer             |  entry that holds the inode    |  file
 *	|    |  image             |  number   |  entry of the directory        |  merged
 *	|    |  image             |  number   |  entry                         |  raw
 *	+----+--------------------+-----------+--------------------------------+
 *
 * A file is a layer of the mount and an entry of it, whatever images show it: one
 * page cache. A directory is one of an image, since the kernel allows a directory
 * only one place: its path is that of the entry in the topmost layer that has a
 * say in it. FUSE_ROOT_ID (1) is the top directory of image 0 and falls out of this.
 *
 * What a person sees is another number, st_ino, made of what a thing is: the same in
 * every image, mount and process. There is one st_dev, so two names with one st_ino are
 * one file to whoever compares them, and it has to be as good as true:
 *
 *	merged directory	the layers and entries that have a say in it
 *	one of ours		the manifest, and the image's place in the mount, which it tells
 *	anything else		its path in the image, mode, owner, time, xattrs, and
 *				its content, by digest: identity.h
 *	with several names, or	the layer and the entry
 *	content not known
 *
 * diff(1) asks nothing more of two names of one inode, not even how many names it has:
 * that is what it is for, and why what is shown must be equal in all that it compares.
 * cp(1) and mv(1) refuse to copy a file to itself, and find -samefile and test -ef tell
 * all that are the same; within one tree no two names may be so by accident, be they
 * as like as the licences of two packages: so the path counts. tar(1), rsync -H, cp -a
 * and git(1) look at the number where st_nlink is more than 1: such files keep that of
 * their place. du(1) does, too, but given several directories it looks at all: what is
 * in two of them is counted once, as it is stored once.
 *
 * 64 bits: of a million files two share a number once in 40 million images. Whoever
 * makes images has to try 2^64 times to make a file that is told to be somebody's other;
 * who makes both has two of his own that are told to be one after some 2^32.
 * -o ino=unique is for those who want to know all files by their places.
 */
#ifndef FS_TREE_NODE_H
#define FS_TREE_NODE_H

#include <stddef.h>
#include <stdint.h>

struct digest;

enum node_kind {
	NODE_SYNTHETIC, /* ours: a document of the image, or a directory around them */
	NODE_FILE,	/* of a layer, anything but a directory */
	NODE_MERGED,	/* a directory of an image's merged tree */
	NODE_RAW,	/* a directory of one layer, as it is */
};

#define NODE_IMAGES_MAX (1u << 20)
#define NODE_LAYERS_MAX (1u << 10) /* of one image */
#define NODE_SLOTS_MAX	(1u << 30) /* layers of the mount */

struct node {
	enum node_kind kind;
	uint32_t image; /* not of a file */
	uint32_t layer; /* slot, number in the image from the base, or row */
	uint32_t entry; /* or parameter */
};

uint64_t node_pack(const struct node *n);
void node_unpack(uint64_t id, struct node *out);

/* A layer's part in the st_ino of what is in it by its place. */
uint64_t node_seed(const struct digest *layer);
/* st_ino of an inode of a layer, by its place. Never 0 or 1. */
uint64_t node_ino(uint64_t seed, uint32_t entry);
/* Of a list, begun with 0: one more member. node_ino_end() makes it an st_ino. */
uint64_t node_ino_add(uint64_t sum, uint64_t seed, uint32_t entry);
uint64_t node_ino_end(uint64_t sum);

#endif
