/* SPDX-License-Identifier: MIT */
/*
 * Layers are written as words, "TYPE:PATH[=LINK]", from the base up:
 *
 *	d directory  f file  l symlink  h hard link  w overlay's whiteout (char 0:0)
 *
 * Each entry's owner is its layer, counted from 1, so that the merged tree, written
 * as words too, shows whose metadata they are: "d/1" is a directory of the base, "f2"
 * a file of the layer above, "f1*2" one with two names, "d/0" a directory that no layer
 * describes.
 *
 * Every tree that is written is also taken apart: each name must be found by lookup as
 * it was listed, each directory from its node alone, and each listing must go on after
 * any of its cookies.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "fs/tree/identity.h"
#include "fs/tree/listing.h"
#include "fs/tree/merge.h"
#include "fs/tree/node.h"
#include "tar/archive/entry.h"
#include "tar/index/index.h"
#include "tar/index/tree.h"
#include "tests/unit/test.h"

#define LAYERS_MAX 8

struct image {
	struct tree_layer layers[LAYERS_MAX];
	struct index *indexes[LAYERS_MAX];
	size_t n;
	struct merge *merge;
};

/* One word into the tree of layer number @owner. */
static int add_word(struct tree *t, char *word, uint32_t owner)
{
	char *path = word + 2, *link = strchr(path, '=');
	struct tar_entry e = {.uid = owner, .path = path};
	struct err err;
	uint32_t file;

	if (link) {
		*link++ = '\0';
		e.link = link;
		e.link_len = strlen(link);
	}
	e.path_len = strlen(path);
	e.is_hardlink = word[0] == 'h';
	e.mode = word[0] == 'd'	  ? S_IFDIR | 0755
		 : word[0] == 'l' ? S_IFLNK | 0777
		 : word[0] == 'w' ? S_IFCHR
				  : S_IFREG | 0644;
	return tree_add(t, &e, &file, &err);
}

static struct index *make_index(const char *words, uint32_t owner)
{
	int fd = memfd_create("index", 0);
	struct index_info facts = {0};
	struct tree *t = NULL;
	struct index *ix = NULL;
	char *copy = strdup(words), *word, *rest = copy;
	struct err err = {""};
	int rc;

	digest_of(DIGEST_SHA256, words, strlen(words), &facts.blob);
	rc = tree_new(fd, &t);
	while (rc == 0 && (word = strsep(&rest, " ")))
		rc = *word ? add_word(t, word, owner) : 0;
	if (rc == 0)
		rc = tree_finish(t, &facts, &err);
	tree_free(t);
	if (rc == 0)
		rc = index_open(fd, &facts.blob, &ix, &err);
	if (rc < 0)
		printf("# no index of \"%s\": %s\n", words, err.text);
	free(copy);
	return ix;
}

static void open_image(struct image *img, const char *const *layers, uint32_t number)
{
	memset(img, 0, sizeof(*img));
	for (; layers[img->n]; img->n++) {
		struct index *ix = make_index(layers[img->n], (uint32_t)img->n + 1);

		img->indexes[img->n] = ix;
		img->layers[img->n].index = ix;
		img->layers[img->n].mount_number = (uint32_t)img->n;
		img->layers[img->n].seed = node_seed(&index_info(ix)->blob);
	}
	if (merge_new(img->layers, img->n, number, &img->merge) < 0)
		printf("# no merge\n");
}

static void close_image(struct image *img)
{
	merge_free(img->merge);
	while (img->n-- > 0)
		index_close(img->indexes[img->n]);
}

static int get_dir(struct merge *m, uint64_t id, struct merged_dir **out)
{
	struct node n;

	node_unpack(id, &n);
	return n.kind == NODE_MERGED ? merge_dir(m, (struct place){n.layer, n.entry}, out)
				     : -EINVAL;
}

static unsigned mistakes;

static void mistake(const char *what, const char *path)
{
	printf("# %s: %s\n", path, what);
	mistakes++;
}

/* Do the names after the @n-th cookie begin with the next name? */
static void check_resume(struct merge *m, const struct merged_dir *dir, uint64_t cookie,
			 const char *want, size_t want_len, const char *path)
{
	struct listing *l = NULL;
	const char *name;
	struct attributes s;
	size_t len;

	if (listing_open(m, dir, cookie, &l) < 0 ||
	    listing_next(l, &name, &len, &s, &cookie) != (want ? 1 : 0))
		mistake("a listing does not go on", path);
	else if (want && (len != want_len || memcmp(name, want, len) != 0))
		mistake("a listing goes on elsewhere", path);
	listing_close(l);
}

/* A file's number is that of its inode, whose layer knows the path, too. */
static bool is_own_number(struct merge *m, const struct attributes *s)
{
	const struct tree_layer *l = &merge_layers(m)[s->layer];
	uint64_t dir, ino;

	return identity_parent(l->index, &s->entry, &dir) == 0 &&
	       identity_ino(l->index, &s->entry, s->nlink, l->seed, dir, &ino) == 0 &&
	       ino == s->ino;
}

static void write_dir(struct merge *m, const struct merged_dir *dir, const char *path,
		      struct buf *out);

static void write_item(struct merge *m, const struct merged_dir *dir, const char *path,
		       const char *name, size_t len, const struct attributes *s,
		       struct buf *out)
{
	struct merged_dir *sub = NULL, *around = NULL;
	struct attributes other;
	char *full = NULL;

	if (merge_lookup(m, dir, name, len, &other) != 0 || other.node != s->node ||
	    other.ino != s->ino || other.is_dir != s->is_dir)
		mistake("lookup and listing differ", path);
	if (asprintf(&full, "%s%.*s", path, (int)len, name) < 0)
		return;
	buf_printf(out, "%s%s%s%u", out->len ? " " : "", full, s->is_dir ? "/" : "",
		   s->is_described ? s->entry.uid : 0);
	if (!s->is_dir && !is_own_number(m, s))
		mistake("its number is not that of its inode", full);
	if (!s->is_dir && s->nlink != 1)
		buf_printf(out, "*%u", s->nlink);
	if (s->is_dir && get_dir(m, s->node, &sub) < 0) {
		mistake("its node leads nowhere", full);
	} else if (s->is_dir) {
		if (merge_describe(m, sub, &other) < 0 || other.node != s->node ||
		    other.ino != s->ino || other.is_described != s->is_described)
			mistake("its node says something else", full);
		if (merge_parent(m, sub, &around) < 0 || around->node != dir->node)
			mistake("its parent is another", full);
		write_dir(m, sub, full, out);
	}
	merged_dir_unref(around);
	merged_dir_unref(sub);
	free(full);
}

static void write_dir(struct merge *m, const struct merged_dir *dir, const char *path,
		      struct buf *out)
{
	uint64_t cookie = 0, last = 0;
	struct listing *l = NULL;
	const char *name;
	char *prefix = NULL;
	struct attributes s;
	size_t len;
	int rc = listing_open(m, dir, 0, &l);

	if (asprintf(&prefix, "%s%s", path, *path ? "/" : "") < 0)
		return;
	while (rc == 0 && (rc = listing_next(l, &name, &len, &s, &cookie)) == 1) {
		check_resume(m, dir, last, name, len, path);
		if (cookie == 0 || cookie == last)
			mistake("a cookie comes twice", path);
		last = cookie;
		write_item(m, dir, prefix, name, len, &s, out);
		rc = 0;
	}
	check_resume(m, dir, last, NULL, 0, path);
	if (rc < 0)
		mistake("cannot be listed", path);
	listing_close(l);
	free(prefix);
}

static void check(const char *what, const char *want, const char *const *layers)
{
	struct merged_dir *root = NULL;
	struct image img;
	struct buf out;

	mistakes = 0;
	buf_init(&out, 1 << 20);
	open_image(&img, layers, 5);
	if (img.merge && merge_root(img.merge, &root) == 0)
		write_dir(img.merge, root, "", &out);
	is_text(buf_text(&out), want, "%s", what);
	is_int(mistakes, 0, "%s: by name, by node and by cookie too", what);
	merged_dir_unref(root);
	close_image(&img);
	buf_release(&out);
}

#define CHECK(what, want, ...) check(what, want, (const char *const[]){__VA_ARGS__, NULL})

static void check_rules(void)
{
	CHECK("one layer", "a/1 a/f1 b1", "d:a f:a/f f:b");
	CHECK("no entries", "", "", "");
	CHECK("files over files", "a2 b1 c2", "f:a f:b", "f:a f:c");
	CHECK("a directory over a directory", "d/2 d/a1 d/b2", "d:d f:d/a", "d:d f:d/b");
	CHECK("an implied one says nothing of itself", "d/1 d/a1 d/b2", "d:d f:d/a",
	      "f:d/b");
	CHECK("nobody describes it", "d/0 d/b1", "f:d/b");
	CHECK("a whiteout", "b1", "f:a f:b", "f:.wh.a");
	CHECK("a whiteout of a tree", "b1", "d:a f:a/x f:b", "f:.wh.a");
	CHECK("a whiteout below", "d/1 d/b1", "d:d f:d/a f:d/b", "f:d/.wh.a");
	CHECK("a whiteout of nothing", "a1", "f:a", "f:.wh.b");
	CHECK("whiteout, then the name anew", "a2", "f:a", "f:.wh.a f:a");
	CHECK("the name anew, then whiteout", "a2", "f:a", "f:a f:.wh.a");
	CHECK("whiteout and new directory", "d/2 d/b2", "d:d f:d/a", "f:.wh.d d:d f:d/b");
	CHECK("whiteout and implied directory", "d/0 d/b2", "d:d f:d/a", "f:.wh.d f:d/b");
	CHECK("a whiteout hides all layers below", "b3", "f:a", "f:a", "f:.wh.a f:b");
	CHECK("and none above", "a3", "f:a", "f:.wh.a", "f:a");
	CHECK("opaque", "d/2 d/b2", "d:d f:d/a", "d:d f:d/b f:d/.wh..wh..opq");
	CHECK("opaque, before the children", "d/2 d/b2", "d:d f:d/a",
	      "f:d/.wh..wh..opq d:d f:d/b");
	CHECK("opaque and implied", "d/1 d/b2", "d:d f:d/a", "f:d/.wh..wh..opq f:d/b");
	CHECK("opaque, implied, and a whiteout between", "d/0 d/b3", "d:d f:d/a",
	      "f:.wh.d", "f:d/.wh..wh..opq f:d/b");
	CHECK("opaque root", "b2", "d:d f:d/a", "f:.wh..wh..opq f:b");
	CHECK("opaque hides what is deeper", "d/2 d/e/2", "d:d d:d/e f:d/e/a",
	      "d:d d:d/e f:d/.wh..wh..opq");
	CHECK("a file over a directory", "d2", "d:d f:d/a", "f:d");
	CHECK("a directory over a file", "d/2 d/a2", "f:d", "d:d f:d/a");
	CHECK("an implied one over a file", "d/0 d/a2", "f:d", "f:d/a");
	CHECK("a file between two directories", "d/3 d/c3", "d:d f:d/a", "f:d",
	      "d:d f:d/c");
	CHECK("a directory over a symlink", "l/2 l/a2 t/1", "d:t l:l=t", "d:l f:l/a");
	CHECK("overlay's whiteout", "b1", "f:a f:b", "w:a");
	CHECK("names between names", "a1 a-1 a.2 ab1", "f:a f:a- f:ab", "f:a.");
}

static void check_links(void)
{
	CHECK("hard link in a layer", "a1*2 b1*2", "f:a h:b=a");
	CHECK("to a lower layer", "a1*2 b1*2", "f:a", "h:b=a");
	CHECK("two of them", "a1*3 b1*3 c1*3", "f:a", "h:b=a", "h:c=a");
	CHECK("through another one", "a1*3 b1*3 c1*3", "f:a", "h:b=a", "h:c=b");
	CHECK("to a name that is hidden above", "b1*2", "f:a", "h:b=a f:.wh.a");
	CHECK("to nothing", "a1", "f:a", "h:b=c");
	CHECK("to nothing, over a file", "", "f:b", "h:b=c");
	CHECK("to a directory", "d/1", "d:d", "h:b=d");
	CHECK("to what a whiteout hid", "", "f:a", "f:.wh.a", "h:b=a");
	CHECK("deep", "d/1 d/e/1 d/e/f1*2 x1*2", "d:d d:d/e f:d/e/f", "h:x=d/e/f");
	CHECK("to a symlink, not through it", "l1*2 t1 x1*2", "f:t l:l=t", "h:x=l");
}

/* The same tree in two images has the same numbers, and another one has others. */
static void check_identity(void)
{
	const char *const a[] = {"d:d f:d/a d:s f:s/x", "f:b", NULL};
	const char *const b[] = {"d:d f:d/a d:s f:s/x", "f:b f:s/y", NULL};
	struct merged_dir *root_a = NULL, *root_b = NULL;
	struct image one, two;
	struct attributes x, y;

	open_image(&one, a, 1);
	open_image(&two, b, 2);
	if (merge_root(one.merge, &root_a) < 0 || merge_root(two.merge, &root_b) < 0)
		return;
	ok(root_a->ino != root_b->ino, "other trees, other numbers");
	ok(merge_lookup(one.merge, root_a, "d", 1, &x) == 0 &&
		   merge_lookup(two.merge, root_b, "d", 1, &y) == 0 && x.ino == y.ino,
	   "a shared directory has one number");
	ok(x.node != y.node, "and two nodes");
	ok(merge_lookup(one.merge, root_a, "s", 1, &x) == 0 &&
		   merge_lookup(two.merge, root_b, "s", 1, &y) == 0 && x.ino != y.ino,
	   "one that a layer adds to has another number");
	ok(merge_lookup(one.merge, root_a, "b", 1, &x) == 0 &&
		   merge_lookup(two.merge, root_b, "b", 1, &y) == 0 && x.ino == y.ino,
	   "like files of other layers have one number");
	merged_dir_unref(root_a);
	merged_dir_unref(root_b);
	close_image(&one);
	close_image(&two);
}

static void check_unbound(void)
{
	const char *const layers[] = {"f:a", "d:d h:d/x=nowhere h:y=a h:z=d", NULL};
	struct image img;
	char path[32];
	uint32_t layer = 0, number = 9, inode = 9, n = 9;

	open_image(&img, layers, 0);
	is_int(merge_unbound(img.merge), 1, "links to nothing are counted");
	is_int(merge_unbound_path(img.merge, 0, path, sizeof(path), &layer), 0,
	       "and named");
	is_text(path, "d/x", "by path");
	is_int(layer, 1, "and layer");
	is_int(merge_unbound_path(img.merge, 1, path, sizeof(path), &layer), -ENOENT,
	       "no more of them");
	ok(merge_target(img.merge, 0, &number, &inode, &n), "a target is known");
	ok(number == 0 && inode == 1 && n == 1, "it has one name more");
	ok(!merge_target(img.merge, 1, &number, &inode, &n), "and is the only one");
	close_image(&img);
}

static void check_hidden_names(void)
{
	const char *const layers[] = {"f:a", "f:.wh.b f:.wh.a", NULL};
	const char *const none[] = {NULL};
	struct merged_dir *root = NULL;
	struct image img;
	struct attributes s;

	open_image(&img, layers, 0);
	merge_root(img.merge, &root);
	is_int(merge_lookup(img.merge, root, ".wh.a", 5, &s), -ENOENT,
	       "markers are not found");
	merged_dir_unref(root);
	close_image(&img);

	open_image(&img, none, 0);
	is_int(merge_root(img.merge, &root), 0, "an image of no layers has a root");
	is_int(merge_describe(img.merge, root, &s), 0, "which is");
	ok(!s.is_described && s.is_dir, "a directory that nobody describes");
	is_int(merge_lookup(img.merge, root, "a", 1, &s), -ENOENT, "and empty");
	merged_dir_unref(root);
	close_image(&img);
}

int main(void)
{
	check_rules();
	check_links();
	check_identity();
	check_unbound();
	check_hidden_names();
	return test_done();
}
