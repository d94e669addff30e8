/* SPDX-License-Identifier: MIT */
/*
 * Trees for tests of tree.c and index.c: entries are added, the index is opened, and
 * what it says is written as text.
 *
 * Entries as lines, "TYPE PATH [MORE]", where TYPE is one of
 *	d  directory		f  file, MORE its size	l  symlink, MORE its text
 *	h  hard link, MORE its target			c b  device, MORE "major:minor"
 *	p  fifo
 * The uid of the n-th line is n, so that a dump shows which entry an inode is of.
 *
 * A dump, in order of the walk, with a line for each entry:
 *	TYPE PATH #UID [xNLINK] [I][O][W][w][S] [-> TEXT]
 * flags: implied, opaque, whiteout, has whiteouts, sparse. A foreign link has the type
 * "?". The last line, if there is one, is how many were skipped.
 */
#ifndef TESTS_UNIT_PLANT_H
#define TESTS_UNIT_PLANT_H

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "tar/archive/entry.h"
#include "tar/index/index.h"
#include "tar/index/tree.h"

#define PLANT_BLOB_SIZE	   1000000
#define PLANT_DECODED_SIZE (1ull << 40)

struct plant {
	struct tree *tree;
	int fd;
	uint32_t uid;
};

static const struct digest plant_digest = {.alg = DIGEST_SHA256, .bytes = {1, 2, 3}};

/* Out of memory, mostly: the test has nothing to say. */
static inline void plant_must(int rc, const char *what)
{
	if (rc >= 0)
		return;
	printf("Bail out! %s: %s\n", what, strerror(-rc));
	exit(1);
}

static inline void plant_begin(struct plant *p)
{
	*p = (struct plant){.fd = memfd_create("index", MFD_CLOEXEC)};
	plant_must(p->fd < 0 ? -errno : tree_new(p->fd, &p->tree), "a new tree");
}

/* An entry with the next uid. */
static inline int plant_add(struct plant *p, struct tar_entry *e)
{
	uint32_t file;

	e->uid = ++p->uid;
	return tree_add(p->tree, e, &file, NULL);
}

static inline struct tar_entry plant_file(const char *path, size_t len)
{
	return (struct tar_entry){.path = path, .path_len = len, .mode = S_IFREG | 0644};
}

static inline void plant_line(struct plant *p, const char *line)
{
	static const char types[] = "dflcbph";
	static const uint32_t modes[] = {S_IFDIR | 0755,
					 S_IFREG | 0644,
					 S_IFLNK | 0777,
					 S_IFCHR | 0600,
					 S_IFBLK | 0600,
					 S_IFIFO | 0600,
					 0644};
	const char *path = line + 2, *more = strchr(path, ' ');
	struct tar_entry e = {
		.path = path,
		.path_len = more ? (size_t)(more - path) : strlen(path),
		.mode = modes[strchr(types, line[0]) - types],
		.is_hardlink = line[0] == 'h',
	};

	more = more ? more + 1 : "";
	if (line[0] == 'l' || line[0] == 'h') {
		e.link = more;
		e.link_len = strlen(more);
	} else if (line[0] == 'c' || line[0] == 'b') {
		(void)sscanf(more, "%u:%u", &e.rdev_major, &e.rdev_minor);
	} else if (line[0] == 'f') {
		e.size = e.stored = strtoull(more, NULL, 10);
		e.data = 512 * (p->uid + 1);
	}
	plant_must(plant_add(p, &e), line);
}

static inline void plant_lines(struct plant *p, const char *lines)
{
	char line[1024];

	while (*lines) {
		size_t len = strcspn(lines, "\n");

		snprintf(line, sizeof(line), "%.*s", (int)len, lines);
		plant_line(p, line);
		lines += len + (lines[len] == '\n');
	}
}

/* Finishes; the index file is the caller's. */
static inline int plant_finish(struct plant *p)
{
	struct index_info facts = {
		.blob = plant_digest,
		.blob_size = PLANT_BLOB_SIZE,
		.decoded_size = PLANT_DECODED_SIZE,
		.compression = COMPRESSION_GZIP,
	};

	plant_must(tree_finish(p->tree, &facts, NULL), "the index");
	tree_free(p->tree);
	p->tree = NULL;
	return p->fd;
}

static inline struct index *plant_open(struct plant *p)
{
	struct index *ix = NULL;
	struct err e = {""};

	plant_must(index_open(plant_finish(p), &plant_digest, &ix, &e), e.text);
	return ix;
}

static inline char plant_type(uint32_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return 'd';
	case S_IFREG:
		return 'f';
	case S_IFLNK:
		return 'l';
	case S_IFCHR:
		return 'c';
	case S_IFBLK:
		return 'b';
	case S_IFIFO:
		return 'p';
	default:
		return '?';
	}
}

/* The line of an entry; its inode's row has what a link's own has not. */
static inline int plant_dump_one(const struct index *ix, const struct entry *e,
				 const char *path, struct buf *out)
{
	static const struct {
		uint16_t flag;
		char letter;
	} flags[] = {
		{ENTRY_IMPLIED, 'I'},	{ENTRY_OPAQUE, 'O'}, {ENTRY_WHITEOUT, 'W'},
		{ENTRY_WHITEOUTS, 'w'}, {ENTRY_SPARSE, 'S'},
	};
	struct entry inode;
	size_t i, n_flags = 0;
	char letters[8];
	int rc = index_entry(ix, e->inode, &inode);

	if (rc < 0)
		return rc;
	for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if (e->flags & flags[i].flag)
			letters[n_flags++] = flags[i].letter;
	}
	letters[n_flags] = '\0';
	rc = buf_printf(out, "%c %s", plant_type(e->mode), path);
	if (rc == 0 && inode.uid != 0)
		rc = buf_printf(out, " #%u", inode.uid);
	if (rc == 0 && !S_ISDIR(e->mode) && inode.nlink != 1)
		rc = buf_printf(out, " x%u", inode.nlink);
	if (rc == 0 && n_flags > 0)
		rc = buf_printf(out, " %s", letters);
	if (rc == 0 && (e->flags & ENTRY_FOREIGN))
		rc = buf_printf(out, " -> %.*s", (int)e->link_len, e->link);
	else if (rc == 0 && S_ISLNK(inode.mode))
		rc = buf_printf(out, " -> %.*s", (int)inode.link_len, inode.link);
	return rc < 0 ? rc : buf_append_text(out, "\n");
}

/*
 * A directory's children, and below; *wrong counts what no index may say. No recursion
 * deeper than the paths of tests.
 */
static inline int plant_dump_below(const struct index *ix, const struct entry *dir,
				   const char *path, struct buf *out, unsigned *wrong)
{
	struct entry e, before = {.name = "", .name_len = 0}, found;
	uint32_t i, n_dirs = 0;
	char below[8192];
	int rc = 0;

	for (i = 0; rc == 0 && i < dir->n_children; i++) {
		rc = index_entry(ix, dir->first_child + i, &e);
		if (rc < 0)
			break;
		*wrong += e.parent != dir->id || e.name_len == 0;
		if (i > 0) {
			size_t len = before.name_len < e.name_len ? before.name_len
								  : e.name_len;
			int diff = memcmp(before.name, e.name, len);

			*wrong += diff > 0 ||
				  (diff == 0 && before.name_len >= e.name_len);
		}
		*wrong += index_find(ix, dir, e.name, e.name_len, &found) != 0 ||
			  found.id != e.id;
		snprintf(below, sizeof(below), "%s%s%.*s", path, *path ? "/" : "",
			 (int)e.name_len, e.name);
		rc = plant_dump_one(ix, &e, below, out);
		if (rc == 0 && S_ISDIR(e.mode)) {
			n_dirs++;
			rc = plant_dump_below(ix, &e, below, out, wrong);
		}
		before = e;
	}
	*wrong += rc == 0 && (dir->nlink != 2 + n_dirs || dir->size != dir->n_children);
	return rc;
}

/* The whole index as text; negative errno for damage. */
static inline int plant_dump(const struct index *ix, struct buf *out, unsigned *wrong)
{
	struct entry root;
	int rc = index_entry(ix, 0, &root);

	*wrong = 0;
	if (rc == 0)
		rc = plant_dump_one(ix, &root, "/", out);
	if (rc == 0)
		rc = plant_dump_below(ix, &root, "", out, wrong);
	if (rc == 0 && index_info(ix)->n_skipped > 0)
		rc = buf_printf(out, "skipped %u\n", index_info(ix)->n_skipped);
	return rc;
}

#endif
