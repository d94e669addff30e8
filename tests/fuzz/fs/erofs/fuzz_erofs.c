/* SPDX-License-Identifier: MIT */
/*
 * A tree that the input describes, as an EROFS image: a reader finds in it what the tree
 * has. Two images of it are the same.
 */
#include "tests/unit/erofs_tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

static uint64_t next_word(struct input *in)
{
	uint64_t v = next_byte(in);
	unsigned n = v % 8;

	while (n-- > 0)
		v = v << 8 | next_byte(in);
	return v;
}

/* Short names that differ in little, or long ones. */
static void make_name(struct input *in, char *name)
{
	unsigned form = next_byte(in), i, n = form < 200 ? 1 + form % 4 : form;

	for (i = 0; i < n; i++) {
		unsigned c = form < 200 || i == 0 ? next_byte(in) : 'x' + i % 3;

		name[i] = (char)(c == 0 || c == '/' ? '-' : c);
	}
	name[n] = '\0';
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		name[0] = 'd';
}

static void make_xattrs(struct input *in, struct fake *f)
{
	static const char *const names[] = {"user.a", "trusted.b", "security.c",
					    "foreign.d"};
	static char value[66000];

	while (f->n_xattrs < 3 && next_byte(in) % 4 == 1) {
		struct xattr *x = &f->xattrs[f->n_xattrs++];

		x->name = names[next_byte(in) % 4];
		x->name_len = strlen(x->name);
		x->value = value;
		x->value_len = next_word(in) % (next_byte(in) < 250 ? 100 : 66000);
	}
}

static void make_holes(struct input *in, struct fake *f)
{
	uint64_t end = 0;
	int i;

	f->is.has_holes = next_byte(in) % 3 == 0;
	for (i = 0; f->is.has_holes && i < 2 && end < f->is.size; i++) {
		f->data[i] = end + next_word(in) % (f->is.size - end);
		end = f->data[i];
		f->data_len[i] = next_word(in) % (f->is.size - end + 1);
		end += f->data_len[i];
	}
}

static void make_inode(struct input *in, struct fake *f)
{
	static const char target[4096] = "target";
	uint32_t mode = f->is.mode;

	f->is.mode |= (uint32_t)next_word(in) & 07777;
	f->is.uid = (uint32_t)next_word(in);
	f->is.gid = (uint32_t)next_word(in);
	f->is.mtime = (int64_t)next_word(in);
	f->is.mtime_ns = (uint32_t)next_word(in);
	make_xattrs(in, f);
	if (mode == S_IFREG) {
		f->is.size = next_word(in) >> 1;
		if (next_byte(in) < 255)
			f->is.size %= 100000;
		make_holes(in, f);
	} else if (mode == S_IFLNK) {
		f->is.link = target;
		f->is.link_len = 1 + next_word(in) % 4095;
	} else if (mode == S_IFCHR || mode == S_IFBLK) {
		f->is.rdev = (uint32_t)next_word(in);
	}
}

static void make_node(struct input *in, struct fake_tree *t)
{
	static const uint32_t modes[] = {S_IFREG, S_IFREG, S_IFREG, S_IFREG,
					 S_IFDIR, S_IFDIR, S_IFLNK, S_IFCHR,
					 S_IFBLK, S_IFIFO, S_IFSOCK};
	uint32_t mode = modes[next_byte(in) % (sizeof(modes) / sizeof(modes[0]))];
	unsigned parent = next_byte(in) % t->n;
	unsigned link = next_byte(in);
	struct fake *f;
	char name[256];

	while (!S_ISDIR(t->nodes[parent].is.mode))
		parent--;
	make_name(in, name);
	if (link >= 200 && link - 200 < t->n) {
		link = t->nodes[link - 200].inode;
		if (!S_ISDIR(t->nodes[link].is.mode))
			fake_add(t, parent, name, 0, (int)link);
	} else {
		f = fake_add(t, parent, name, mode, -1);
		if (f)
			make_inode(in, f);
	}
}

static void must_be_same(struct fake_tree *t, const struct erofs_image *a,
			 const struct erofs_image *b)
{
	uint64_t size = erofs_image_size(a);
	size_t len = size < 1 << 18 ? (size_t)size : 1 << 18;
	char *one = malloc(len), *two = malloc(len);

	if (!one || !two || erofs_image_size(b) != size ||
	    erofs_image_read(a, one, len, 0, fake_read, t) != (ssize_t)len ||
	    erofs_image_read(b, two, len, 0, fake_read, t) != (ssize_t)len ||
	    memcmp(one, two, len) != 0)
		abort();
	free(one);
	free(two);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size < 1 << 16 ? size : 1 << 16};
	struct erofs_image *im = NULL, *again = NULL;
	struct fake_tree t;
	const char *wrong;

	fake_init(&t);
	make_xattrs(&in, &t.nodes[0]);
	while (in.left > 0 && t.n < 1000)
		make_node(&in, &t);
	/* A tree may be too large. */
	if (fake_image(&t, &im) == 0) {
		wrong = erofs_check(&t, im);
		if (wrong) {
			fprintf(stderr, "%s\n", wrong);
			abort();
		}
		if (fake_image(&t, &again) < 0)
			abort();
		must_be_same(&t, im, again);
	}
	erofs_image_free(im);
	erofs_image_free(again);
	free(t.nodes);
	return 0;
}
