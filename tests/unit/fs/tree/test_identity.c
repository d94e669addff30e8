/* SPDX-License-Identifier: MIT */
/*
 * Each case is two layers of one directory `d` with one file in it, of which the second
 * differs from the first in the way that the case is named after.
 */
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/err.h"
#include "fs/tree/identity.h"
#include "fs/tree/node.h"
#include "tar/archive/entry.h"
#include "tar/index/index.h"
#include "tar/index/tree.h"
#include "tests/unit/test.h"

/* A layer's one file, and what its index says of its content. */
struct plan {
	struct tar_entry entry;
	const char *content; /* what is hashed; NULL: no digest */
	bool has_link;	     /* a second name */
	enum index_basis basis;
	const char *chunk; /* what the span that holds it is hashed from */
	uint64_t chunk_len;
};

static const struct tar_xattr xattr = {.name = "user.a", .value = "b", .len = 1};

static const struct plan file = {
	.entry = {.path = "d/name",
		  .mode = S_IFREG | 0644,
		  .uid = 1,
		  .gid = 2,
		  .mtime = 3,
		  .mtime_ns = 4,
		  .size = 5,
		  .stored = 5},
	.content = "hello",
};

static const struct plan symlink_plan = {
	.entry = {.path = "d/name",
		  .mode = S_IFLNK | 0777,
		  .link = "there",
		  .link_len = 5},
};

static const struct plan device = {
	.entry = {.path = "d/name",
		  .mode = S_IFCHR | 0600,
		  .rdev_major = 1,
		  .rdev_minor = 3},
};

static void add_span(struct tree *t, const struct plan *p)
{
	struct span sp = {.kind = SPAN_GZIP,
			  .digest_is_of_output = true,
			  .in_len = 20,
			  .out_len = p->chunk_len};
	struct digest d;

	digest_of(DIGEST_SHA256, p->chunk, strlen(p->chunk), &d);
	memcpy(sp.digest, d.bytes, sizeof(sp.digest));
	tree_add_span(t, &sp);
}

/* The index of a layer with that file, which @seed sets apart from others. */
static struct index *make_index(const struct plan *p, const char *seed)
{
	struct index_info facts = {.blob_size = 100, .basis = p->basis};
	struct tar_entry e = p->entry;
	struct index *ix = NULL;
	int fd = memfd_create("index", 0);
	struct tree *t = NULL;
	struct err err = {""};
	struct digest d;
	uint32_t id;

	facts.decoded_size = e.stored;
	e.path_len = strlen(e.path);
	digest_of(DIGEST_SHA256, seed, strlen(seed), &facts.blob);
	if (p->basis != BASIS_STREAM)
		facts.toc = facts.blob;
	if (tree_new(fd, &t) < 0 || tree_add(t, &e, &id, &err) < 0)
		return NULL;
	if (p->content) {
		digest_of(DIGEST_SHA256, p->content, strlen(p->content), &d);
		tree_set_digest(t, id, d.bytes);
	}
	if (p->has_link) {
		struct tar_entry link = {.path = "d/zz",
					 .path_len = 4,
					 .is_hardlink = true,
					 .mode = S_IFREG,
					 .link = "d/name",
					 .link_len = 6};

		tree_add(t, &link, &id, &err);
	}
	if (p->chunk)
		add_span(t, p);
	if (tree_finish(t, &facts, &err) == 0)
		index_open(fd, &facts.blob, &ix, &err);
	tree_free(t);
	return ix;
}

/* Of the file, and whether that is its place's alone. 0 on failure. */
static uint64_t ino_of(const struct plan *p, const char *seed, uint32_t nlink,
		       bool *by_place)
{
	struct index *ix = make_index(p, seed);
	uint64_t dir = 0, ino = 0, place;
	struct entry root, d, e;

	*by_place = false;
	if (ix && index_entry(ix, 0, &root) == 0 &&
	    index_entry(ix, root.first_child, &d) == 0 &&
	    index_entry(ix, d.first_child, &e) == 0 &&
	    identity_parent(ix, &e, &dir) == 0) {
		place = node_seed(&index_info(ix)->blob);
		if (identity_ino(ix, &e, nlink, place, dir, &ino) < 0)
			ino = 0;
		*by_place = ino == node_ino(place, e.id);
		if (dir != identity_path(IDENTITY_ROOT, d.name, d.name_len))
			ino = 0;
	}
	index_close(ix);
	return ino;
}

static void differs(const char *what, const struct plan *a, const struct plan *b)
{
	bool place_a, place_b;
	uint64_t x = ino_of(a, "one", 1, &place_a), y = ino_of(b, "two", 1, &place_b);

	ok(x > 1 && y > 1 && x != y && !place_a && !place_b, "%s counts", what);
}

static void by_place(const char *what, const struct plan *p, uint32_t nlink)
{
	bool place;
	uint64_t x = ino_of(p, "one", nlink, &place);

	ok(x > 1 && place, "%s: by its place", what);
}

static void check_same(const char *what, const struct plan *p)
{
	bool place_a, place_b;
	uint64_t x = ino_of(p, "one", 1, &place_a), y = ino_of(p, "two", 1, &place_b);

	ok(x > 1 && x == y && !place_a && !place_b, "%s is one in two layers", what);
}

#define DIFFERS(what, base, change)       \
	do {                              \
		struct plan p = base;     \
		p.change;                 \
		differs(what, &base, &p); \
	} while (0)

static void check_attributes(void)
{
	DIFFERS("the name", file, entry.path = "d/other");
	DIFFERS("the directory", file, entry.path = "e/name");
	DIFFERS("the mode", file, entry.mode = S_IFREG | 0600);
	DIFFERS("the user", file, entry.uid = 9);
	DIFFERS("the group", file, entry.gid = 9);
	DIFFERS("the time", file, entry.mtime = 9);
	DIFFERS("a fraction of a second", file, entry.mtime_ns = 9);
	DIFFERS("a second before 1970", file, entry.mtime = -3);
	DIFFERS("the content", file, content = "world");
	DIFFERS("an xattr", file, entry.xattrs = &xattr; p.entry.n_xattrs = 1);
	DIFFERS("the text of a symlink", symlink_plan, entry.link = "where");
	DIFFERS("a device's number", device, entry.rdev_minor = 5);
	DIFFERS("the type", device, entry.mode = S_IFBLK | 0600);
	differs("symlink or file", &symlink_plan, &file);
}

static void check_places(void)
{
	struct plan p = file;

	by_place("more names by other layers", &file, 2);
	p.has_link = true;
	by_place("more names in its layer", &p, 2);
	p = file;
	p.content = NULL;
	by_place("no digest", &p, 1);
}

/* What a table says of a file's content counts if reading checks just that. */
static void check_tables(void)
{
	struct plan p = file;

	p.basis = BASIS_ESTARGZ;
	p.chunk = p.content;
	p.chunk_len = 5;
	check_same("a file of one chunk", &p);
	p.chunk = "other";
	by_place("a chunk with another digest", &p, 1);
	p.chunk = p.content;
	p.chunk_len = 4;
	by_place("a chunk that is a part of the file", &p, 1);
	p.chunk = NULL;
	by_place("no chunk", &p, 1);
}

int main(void)
{
	struct plan empty = file;

	check_same("a file", &file);
	check_same("a symlink", &symlink_plan);
	check_same("a device", &device);
	empty.entry.size = empty.entry.stored = 0;
	empty.content = NULL;
	check_same("an empty file", &empty);
	check_attributes();
	check_places();
	check_tables();
	return test_done();
}
