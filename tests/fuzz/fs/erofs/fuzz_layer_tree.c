/* SPDX-License-Identifier: MIT */
/*
 * Two layers of random entries, with whiteouts of every kind. Each as an EROFS image is what
 * the layer tree says, and the same bytes again. And what overlayfs makes of the two layer
 * trees is the merged tree.
 */
#include <limits.h>

#include "base/err.h"
#include "fs/erofs/layer_tree.h"
#include "fs/tree/listing.h"
#include "fs/tree/merge.h"
#include "fs/tree/node.h"
#include "tar/archive/entry.h"
#include "tar/index/tree.h"
#include "tests/unit/erofs_tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ENTRIES_MAX 200
#define PATH_SIZE   (4 * 16)

static void must_hold(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

struct input {
	const uint8_t *at;
	size_t left;
};

static unsigned next_byte(struct input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->at++;
}

/* THE LAYERS */

/* Few names, so that they meet; some around the dots and the markers in their order. */
static const char *next_name(struct input *in)
{
	static const char *const names[] = {"a",  "b",	 "c",	"!",
					    ".a", ".wh", ".wi", "a.b"};

	return names[next_byte(in) % 8];
}

static size_t make_path(struct input *in, char *path)
{
	unsigned depth = next_byte(in) % 3, marker = next_byte(in);
	size_t len = 0;

	for (; depth > 0; depth--)
		len += (size_t)sprintf(path + len, "%s/", next_name(in));
	if (marker % 16 == 1)
		return len + (size_t)sprintf(path + len, ".wh..wh..opq");
	if (marker % 16 == 2)
		return len + (size_t)sprintf(path + len, ".wh..wh.plnk");
	return len + (size_t)sprintf(path + len, "%s%s", marker % 3 == 0 ? ".wh." : "",
				     next_name(in));
}

static void add_entry(struct input *in, struct tree *t, uint32_t owner)
{
	static const uint32_t modes[] = {S_IFREG, S_IFREG, S_IFDIR, S_IFDIR,
					 S_IFLNK, S_IFCHR, S_IFIFO, S_IFREG};
	static const struct tar_xattr xattrs[] = {{"user.a", "1", 1},
						  {"trusted.overlay.opaque", "y", 1}};
	char path[PATH_SIZE], link[PATH_SIZE];
	unsigned kind = next_byte(in), more = next_byte(in);
	struct tar_entry e = {.path = path, .uid = owner, .mtime = more};
	struct err err;
	uint32_t file;

	e.path_len = make_path(in, path);
	e.mode = modes[kind % 8] | (more & 0777);
	e.is_hardlink = kind % 8 == 7;
	if (e.is_hardlink || S_ISLNK(e.mode)) {
		e.link = link;
		e.link_len = make_path(in, link);
	}
	if (S_ISCHR(e.mode))
		e.rdev_minor = more % 2;
	e.xattrs = xattrs;
	e.n_xattrs = kind % 3;
	(void)tree_add(t, &e, &file, &err);
}

static struct index *make_layer(struct input *in, uint32_t owner)
{
	unsigned n = next_byte(in) % ENTRIES_MAX;
	int fd = memfd_create("index", 0);
	struct index_info facts = {.blob.alg = DIGEST_SHA256};
	struct tree *t = NULL;
	struct index *ix = NULL;

	facts.blob.bytes[0] = (unsigned char)owner;
	if (tree_new(fd, &t) < 0)
		exit(77);
	while (n-- > 0 && in->left > 0)
		add_entry(in, t, owner);
	must_hold(tree_finish(t, &facts, NULL) == 0, "no index");
	tree_free(t);
	must_hold(index_open(fd, &facts.blob, &ix, NULL) == 0, "a damaged index");
	return ix;
}

/* A LAYER TREE AS AN IMAGE */

struct copying {
	struct layer_tree *from;
	struct fake_tree *to;
	unsigned dir;
};

static void copy_xattrs(struct layer_tree *t, const struct erofs_inode *inode,
			struct fake *f)
{
	uint64_t pos = 0;
	struct xattr x;

	while (t->tree.xattr(t, inode, &pos, &x) == 1) {
		must_hold(f->n_xattrs < 3, "too many xattrs");
		f->xattrs[f->n_xattrs++] = x;
	}
}

static int copy_name(void *to, const char *name, size_t len,
		     const struct erofs_inode *inode)
{
	struct copying *c = to;
	char text[NAME_MAX + 1];
	struct fake *f;
	unsigned i;

	memcpy(text, name, len);
	text[len] = '\0';
	for (i = 1; i < c->to->n; i++) {
		/* Names of one whiteout do not count as links. */
		if (!S_ISDIR(inode->mode) && inode->nlink > 1 &&
		    c->to->nodes[i].is.id == inode->id) {
			fake_add(c->to, c->dir, text, inode->mode, (int)i);
			c->to->nodes[i].is.nlink--; /* all names were counted */
			return 0;
		}
	}
	f = fake_add(c->to, c->dir, text, inode->mode, -1);
	must_hold(f, "a name is there twice");
	f->is = *inode;
	f->is.of = f;
	if (!S_ISDIR(inode->mode))
		copy_xattrs(c->from, inode, f);
	return 0;
}

static void copy_dir(struct layer_tree *t, uint64_t id, struct fake_tree *to,
		     unsigned dir)
{
	struct copying c = {t, to, dir};
	struct erofs_inode inode;
	unsigned i, n, first = to->n;

	must_hold(t->tree.describe(t, id, &inode) == 0, "no directory");
	to->nodes[dir].is = inode;
	to->nodes[dir].is.of = &to->nodes[dir];
	copy_xattrs(t, &inode, &to->nodes[dir]);
	must_hold(t->tree.list(t, id, copy_name, &c) == 0, "no list");
	for (n = to->n, i = first; i < n; i++) {
		if (S_ISDIR(to->nodes[i].is.mode))
			copy_dir(t, to->nodes[i].is.id, to, i);
	}
}

static ssize_t read_nothing(void *arg, uint64_t id, void *buf, size_t size, uint64_t off)
{
	(void)arg, (void)id, (void)buf, (void)size, (void)off;
	return 0;
}

static struct erofs_image *make_image(const struct index *ix, uint32_t number)
{
	static const uint8_t uuid[EROFS_UUID_SIZE];
	struct erofs_image *im = NULL;
	struct layer_tree t;

	layer_tree_init(&t, ix, number);
	must_hold(erofs_image_new(&t.tree, uuid, memfd_create("meta", 0),
				  memfd_create("extents", 0), NULL, &im) == 0,
		  "no image of a layer");
	return im;
}

static void check_image(const struct index *ix)
{
	struct erofs_image *im = make_image(ix, 1), *other = make_image(ix, 77);
	size_t size = (size_t)erofs_image_size(im);
	char *one = malloc(size), *two = malloc(size);
	struct fake_tree want;
	struct layer_tree t;
	const char *wrong;

	fake_init(&want);
	layer_tree_init(&t, ix, 1);
	copy_dir(&t, 0, &want, 0);
	wrong = erofs_check(&want, im);
	must_hold(!wrong, wrong ? wrong : "");
	must_hold(erofs_image_size(other) == size &&
			  erofs_image_read(im, one, size, 0, read_nothing, NULL) ==
				  (ssize_t)size &&
			  erofs_image_read(other, two, size, 0, read_nothing, NULL) ==
				  (ssize_t)size &&
			  memcmp(one, two, size) == 0,
		  "the number of a layer is in its image");
	free(one);
	free(two);
	free(want.nodes);
	erofs_image_free(im);
	erofs_image_free(other);
}

/* WHAT OVERLAYFS MAKES OF THEM */

struct seen {
	char name[NAME_MAX + 1];
	struct erofs_inode is;
};

struct names {
	struct seen list[ENTRIES_MAX * 4];
	unsigned n;
};

static int see_name(void *to, const char *name, size_t len,
		    const struct erofs_inode *inode)
{
	struct names *ns = to;
	struct seen *s = &ns->list[ns->n++];

	must_hold(ns->n < sizeof(ns->list) / sizeof(ns->list[0]), "too many names");
	memcpy(s->name, name, len);
	s->name[len] = '\0';
	s->is = *inode;
	return 0;
}

static bool is_whiteout(const struct erofs_inode *inode)
{
	return S_ISCHR(inode->mode) && inode->rdev == 0;
}

static bool has_xattr(struct layer_tree *t, uint64_t dir, const char *name)
{
	struct erofs_inode inode;
	struct xattr x;
	uint64_t pos = 0;

	must_hold(t->tree.describe(t, dir, &inode) == 0, "no directory");
	while (t->tree.xattr(t, &inode, &pos, &x) == 1) {
		if (x.name_len == strlen(name) && memcmp(x.name, name, x.name_len) == 0)
			return true;
	}
	return false;
}

/* A directory of the stack: of the upper layer, of the lower one, or both. */
struct stack {
	struct layer_tree *upper, *lower;
	uint64_t ids[2];
	bool has[2];
};

static const struct seen *find(const struct names *ns, const char *name)
{
	unsigned i;

	for (i = 0; i < ns->n; i++) {
		if (strcmp(ns->list[i].name, name) == 0)
			return &ns->list[i];
	}
	return NULL;
}

static void list_part(struct stack *s, int which, struct names *out)
{
	struct layer_tree *t = which ? s->lower : s->upper;
	unsigned i;

	out->n = 0;
	if (!s->has[which])
		return;
	must_hold(t->tree.list(t, s->ids[which], see_name, out) == 0, "no list");
	for (i = 0; i < out->n; i++)
		must_hold(!is_whiteout(&out->list[i].is) ||
				  has_xattr(t, s->ids[which], "trusted.overlay.origin"),
			  "a directory hides its whiteouts from overlayfs");
}

/* What the stack has under a name that both lists may have; false: nothing. */
static bool resolve(struct stack *s, const struct seen *up, const struct seen *low,
		    struct stack *dir, struct erofs_inode *file)
{
	*dir = (struct stack){.upper = s->upper, .lower = s->lower};
	if (up && !S_ISDIR(up->is.mode)) {
		*file = up->is;
		return !is_whiteout(&up->is);
	}
	if (up) {
		dir->has[0] = true;
		dir->ids[0] = up->is.id;
		if (!low || !S_ISDIR(low->is.mode) ||
		    has_xattr(s->upper, up->is.id, "trusted.overlay.opaque"))
			return true;
	} else if (!S_ISDIR(low->is.mode)) {
		*file = low->is;
		return !is_whiteout(&low->is);
	}
	dir->has[1] = true;
	dir->ids[1] = low->is.id;
	return true;
}

static void compare_dir(struct merge *m, struct merged_dir *dir, struct stack *s);

static void compare_name(struct merge *m, const struct attributes *a, struct stack *dir,
			 const struct erofs_inode *file)
{
	struct merged_dir *below = NULL;
	struct node node;

	must_hold(a->is_dir == (dir->has[0] || dir->has[1]), "a type differs");
	if (!a->is_dir) {
		must_hold(a->node == file->id, "another file");
		return;
	}
	node_unpack(a->node, &node);
	must_hold(merge_dir(m, (struct place){node.layer, node.entry}, &below) == 0,
		  "no merged directory");
	compare_dir(m, below, dir);
	merged_dir_unref(below);
}

static void compare_dir(struct merge *m, struct merged_dir *dir, struct stack *s)
{
	struct names *parts = malloc(2 * sizeof(*parts));
	struct listing *l = NULL;
	struct erofs_inode file;
	struct attributes a;
	struct stack below;
	char text[NAME_MAX + 1];
	const char *name;
	uint64_t cookie;
	unsigned i, n = 0, n_listed = 0;
	size_t len;

	if (!parts)
		exit(77);
	list_part(s, 0, &parts[0]);
	list_part(s, 1, &parts[1]);
	for (i = 0; i < parts[0].n; i++)
		n += resolve(s, &parts[0].list[i], find(&parts[1], parts[0].list[i].name),
			     &below, &file);
	for (i = 0; i < parts[1].n; i++)
		n += !find(&parts[0], parts[1].list[i].name) &&
		     resolve(s, NULL, &parts[1].list[i], &below, &file);
	must_hold(listing_open(m, dir, 0, &l) == 0, "no merged list");
	while (listing_next(l, &name, &len, &a, &cookie) == 1) {
		const struct seen *up, *low;

		memcpy(text, name, len);
		text[len] = '\0';
		up = find(&parts[0], text);
		low = find(&parts[1], text);
		must_hold((up || low) && resolve(s, up, low, &below, &file),
			  "the stack lacks a name");
		compare_name(m, &a, &below, &file);
		n_listed++;
	}
	listing_close(l);
	must_hold(n == n_listed, "the merged tree lacks a name");
	free(parts);
}

static void check_stack(const struct index *upper, const struct index *lower)
{
	struct tree_layer layers[] = {{.index = lower, .mount_number = 0, .seed = 1},
				      {.index = upper, .mount_number = 1, .seed = 2}};
	struct layer_tree up, low;
	struct stack s = {.upper = &up, .lower = &low, .has = {true, true}};
	struct merged_dir *root = NULL;
	struct merge *m = NULL;

	layer_tree_init(&low, lower, 0);
	layer_tree_init(&up, upper, 1);
	/* The kernel does not ask it of a root, so whoever stacks layers has to. */
	s.has[1] = !has_xattr(&up, 0, "trusted.overlay.opaque");
	must_hold(merge_new(layers, 2, 0, &m) == 0 && merge_root(m, &root) == 0,
		  "no merge");
	compare_dir(m, root, &s);
	merged_dir_unref(root);
	merge_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	struct index *lower = make_layer(&in, 1), *upper = make_layer(&in, 2);

	if (index_info(lower)->n_foreign == 0)
		check_image(lower);
	if (index_info(upper)->n_foreign == 0)
		check_image(upper);
	if (index_info(lower)->n_foreign == 0 && index_info(upper)->n_foreign == 0)
		check_stack(upper, lower);
	index_close(lower);
	index_close(upper);
	return 0;
}
