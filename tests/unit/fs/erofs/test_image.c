/* SPDX-License-Identifier: MIT */
/* Trees as images, which a reader of its own checks: erofs_tree.h. */
#include <errno.h>

#include "tests/unit/erofs_tree.h"
#include "tests/unit/test.h"

static char long_text[70000];

static void is_right(struct fake_tree *t, const char *what)
{
	struct erofs_image *im = NULL;

	if (ok(fake_image(t, &im) == 0, "%s: made", what))
		is_text(erofs_check(t, im), NULL, "%s: as the tree", what);
	erofs_image_free(im);
}

static struct fake *add_xattr(struct fake *f, const char *name, size_t len)
{
	f->xattrs[f->n_xattrs++] = (struct xattr){.name = name,
						  .name_len = strlen(name),
						  .value = long_text,
						  .value_len = len};
	return f;
}

static void test_kinds(void)
{
	struct fake_tree t;
	struct fake *f;

	fake_init(&t);
	t.nodes[0].is.mtime = 5;
	add_xattr(&t.nodes[0], "user.root", 3);
	is_right(&t, "an empty root with an xattr");
	f = fake_add(&t, 0, "file", S_IFREG | 04755, -1);
	f->is.size = 10000;
	f->is.uid = 70000;
	f->is.gid = 80000;
	f->is.mtime = -1;
	f->is.mtime_ns = 999999999;
	fake_add(&t, 0, "null", S_IFCHR | 0666, -1)->is.rdev = 0x103;
	fake_add(&t, 0, "disk", S_IFBLK | 0660, -1)->is.rdev = 0xfff00fff;
	fake_add(&t, 0, "pipe", S_IFIFO | 0600, -1);
	fake_add(&t, 0, "socket", S_IFSOCK | 0600, -1);
	fake_add(&t, 0, "directory", S_IFDIR | 01777, -1);
	f = fake_add(&t, 0, "link", S_IFLNK | 0777, -1);
	f->is.link = "some/target";
	f->is.link_len = 11;
	fake_add(&t, 0, "empty", S_IFREG, -1);
	is_right(&t, "all kinds of files");
	free(t.nodes);
}

static void test_links(void)
{
	struct fake_tree t;
	char name[16];
	int i;

	fake_init(&t);
	fake_add(&t, 0, "d", S_IFDIR | 0755, -1);
	for (i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "b%d", i);
		fake_add(&t, 0, name, S_IFREG, -1)->is.size = 1 + (uint64_t)i;
		snprintf(name, sizeof(name), "a%d", i);
		fake_add(&t, i % 2 ? 1 : 0, name, S_IFREG, 2 + 2 * i);
	}
	is_right(&t, "two hundred inodes with two names each");
	free(t.nodes);
}

/* Names below "." and above, blocks that are full to the last byte, tails of every size. */
static void test_directories(void)
{
	static const char *const odd[] = {"!",	 "-",	 "+a", ".a",	   "...",
					  "..a", "\x01", "~",  "\xff\xfe", "A"};
	struct fake_tree t;
	char name[256];
	unsigned dir, i;
	int n;

	fake_init(&t);
	for (i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		fake_add(&t, 0, odd[i], S_IFREG, -1);
	is_right(&t, "names around the dots");
	for (n = 1; n < 60; n++) {
		snprintf(name, sizeof(name), "dir%d", n);
		dir = t.n;
		fake_add(&t, 0, name, S_IFDIR, -1);
		for (i = 0; i < (unsigned)n; i++) {
			memset(name, 'a' + (int)(i % 26), sizeof(name));
			snprintf(name + 40 + 3 * n, 10, "%u", i);
			fake_add(&t, dir, name, i % 3 ? S_IFREG : S_IFDIR, -1);
		}
	}
	is_right(&t, "directories of one to four blocks");
	free(t.nodes);
}

static void test_deep(void)
{
	struct fake_tree t;
	unsigned i;

	fake_init(&t);
	for (i = 0; i < 2000; i++) {
		fake_add(&t, i ? t.n - 2 : 0, "b", S_IFREG, -1)->is.size = 5000;
		fake_add(&t, i ? t.n - 2 : 0, "a", S_IFDIR, -1);
	}
	is_right(&t, "2000 levels, with a file after each directory");
	free(t.nodes);
}

static void test_symlinks(void)
{
	struct fake_tree t;
	struct fake *f;
	char name[16];
	unsigned i;

	fake_init(&t);
	for (i = 0; i < 64; i++) {
		snprintf(name, sizeof(name), "%u", i);
		f = fake_add(&t, 0, name, S_IFLNK | 0777, -1);
		f->is.link = long_text;
		f->is.link_len = 1 + i * 65;
		if (i % 3 == 0)
			add_xattr(f, "trusted.x", i * 150);
	}
	is_right(&t, "targets of up to a block, behind xattrs");
	free(t.nodes);
}

static void test_xattrs(void)
{
	struct fake_tree t;
	struct fake *f;
	struct erofs_image *im = NULL;

	fake_init(&t);
	f = fake_add(&t, 0, "a", S_IFREG, -1);
	add_xattr(f, "user.a", 0);
	add_xattr(f, "security.capability", 20);
	add_xattr(f, "user.large", 65535);
	f = fake_add(&t, 0, "d", S_IFDIR, -1);
	add_xattr(f, "trusted.x", 4100);
	fake_add(&t, 2, "in", S_IFREG, -1)->is.size = 1;
	is_right(&t, "xattrs of all sizes");
	add_xattr(f, "user.", 1);
	add_xattr(f, "foreign.x", 1);
	is_int(fake_image(&t, &im), 0, "an image");
	is_int(erofs_image_dropped(im), 2, "xattrs without a form are counted");
	is_text(erofs_check(&t, im), NULL, "and left out");
	erofs_image_free(im);
	free(t.nodes);
}

static struct fake *add_holey(struct fake_tree *t, const char *name, uint64_t size,
			      uint64_t data, uint64_t len)
{
	struct fake *f = fake_add(t, 0, name, S_IFREG, -1);

	f->is.size = size;
	f->is.has_holes = true;
	f->data[0] = data;
	f->data_len[0] = len;
	return f;
}

static void test_holes(void)
{
	struct erofs_image *im = NULL;
	struct fake_tree t;
	struct fake *f;

	fake_init(&t);
	add_holey(&t, "none", 1 << 20, 0, 0);
	add_holey(&t, "end", 1 << 20, (1 << 20) - 1, 1);
	add_holey(&t, "odd", 10001, 4095, 2);
	add_holey(&t, "xattr", 100000, 5000, 1000)->n_xattrs = 0;
	add_xattr(&t.nodes[t.n - 1], "user.x", 9);
	f = add_holey(&t, "two", UINT64_C(1) << 40, 0, 1);
	f->data[1] = (UINT64_C(1) << 40) - 50;
	f->data_len[1] = 50;
	add_holey(&t, "wide", UINT64_C(1) << 51, UINT64_C(1) << 50, 9);
	fake_add(&t, 0, "plain", S_IFREG, -1)->is.size = 1;
	is_right(&t, "files with holes");
	is_int(fake_image(&t, &im), 0, "an image");
	ok(erofs_image_size(im) < UINT64_C(9) << 40, "holes have no blocks");
	erofs_image_free(im);
	add_holey(&t, "wider", (UINT64_C(1) << 51) + 1, 0, 0);
	is_int(fake_image(&t, &im), -EFBIG, "a file of over 2 PiB has no image");
	free(t.nodes);
}

static void test_limits(void)
{
	struct fake_tree t;
	struct erofs_image *im = NULL;
	struct fake *f;

	fake_init(&t);
	f = fake_add(&t, 0, "a", S_IFREG, -1);
	f->is.size = UINT64_C(15) << 40;
	is_right(&t, "15 TiB");
	fake_add(&t, 0, "b", S_IFREG, -1)->is.size = UINT64_C(1) << 40;
	is_int(fake_image(&t, &im), -EFBIG, "16 TiB have no image");
	t.n = 2;
	strcpy(f->name, "a/b");
	is_int(fake_image(&t, &im), -EBADMSG, "a name with a slash");
	strcpy(f->name, "..");
	is_int(fake_image(&t, &im), -EBADMSG, "a name of dots");
	strcpy(f->name, "a");
	f->is.mode = 0644;
	is_int(fake_image(&t, &im), -EBADMSG, "a file of no kind");
	free(t.nodes);
}

static int two_names(void *arg, uint64_t dir, erofs_take *take, void *to)
{
	struct fake_tree *t = arg;
	int rc = take(to, "b", 1, &t->nodes[1].is);

	(void)dir;
	return rc < 0 ? rc : take(to, "a", 1, &t->nodes[1].is);
}

static void test_damage(void)
{
	static const uint8_t uuid[EROFS_UUID_SIZE];
	static const bool yes = true;
	struct erofs_image *im = NULL;
	struct erofs_tree tree;
	struct fake_tree t;

	fake_init(&t);
	fake_add(&t, 0, "a", S_IFREG, -1);
	tree = fake_tree_of(&t);
	is_int(erofs_image_new(&tree, uuid, memfd_create("m", 0), memfd_create("e", 0),
			       &yes, &im),
	       -EINTR, "a cancelled image");
	tree.list = two_names;
	is_int(erofs_image_new(&tree, uuid, memfd_create("m", 0), memfd_create("e", 0),
			       NULL, &im),
	       -EBADMSG, "names out of order");
	free(t.nodes);
}

/* The same range in one piece and in pieces of any size, twice. */
static void test_reads(void)
{
	struct erofs_image *one = NULL, *two = NULL;
	struct fake_tree t;
	char *a, *b, name[16];
	size_t size, off, n;
	int i;

	fake_init(&t);
	for (i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "%d", i);
		fake_add(&t, 0, name, S_IFREG, -1)->is.size = (uint64_t)i * 700;
	}
	is_int(fake_image(&t, &one), 0, "an image");
	is_int(fake_image(&t, &two), 0, "an image");
	size = (size_t)erofs_image_size(one);
	a = malloc(size);
	b = malloc(size);
	if (!a || !b)
		exit(77);
	is_int(erofs_image_read(one, a, size + 1, 0, fake_read, &t), size,
	       "a read ends where the image ends");
	for (off = 0, n = 1; off < size; off += n, n = n * 5 % 9973)
		erofs_image_read(two, b + off, size - off < n ? size - off : n, off,
				 fake_read, &t);
	ok(memcmp(a, b, size) == 0, "in pieces, of another image of the tree");
	is_int(erofs_image_read(one, a, 1, size, fake_read, &t), 0, "at the end");
	free(a);
	free(b);
	erofs_image_free(one);
	erofs_image_free(two);
	free(t.nodes);
}

static ssize_t no_read(void *arg, uint64_t id, void *buf, size_t size, uint64_t off)
{
	(void)arg, (void)buf, (void)size, (void)off;
	return id == 2 ? -EIO : (ssize_t)size;
}

static void test_broken(void)
{
	struct erofs_image *im = NULL;
	struct fake_tree t;
	char buf[4 * 4096];

	fake_init(&t);
	fake_add(&t, 0, "a", S_IFREG, -1)->is.size = 4096;
	fake_add(&t, 0, "b", S_IFREG, -1)->is.size = 4096;
	is_int(fake_image(&t, &im), 0, "an image");
	is_int(erofs_image_read(im, buf, 3 * 4096, 0, no_read, NULL), 3 * 4096,
	       "a file that can be read");
	is_int(erofs_image_read(im, buf, 4 * 4096, 0, no_read, NULL), -EIO,
	       "no part of a read that fails");
	erofs_image_free(im);
	free(t.nodes);
}

int main(void)
{
	size_t i;

	for (i = 0; i < sizeof(long_text); i++)
		long_text[i] = (char)('a' + i % 23);
	test_kinds();
	test_links();
	test_directories();
	test_deep();
	test_symlinks();
	test_xattrs();
	test_holes();
	test_limits();
	test_damage();
	test_reads();
	test_broken();
	return test_done();
}
