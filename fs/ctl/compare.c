/* SPDX-License-Identifier: MIT */
/*
 * Both trees are walked together: lists are in the order of the names, as bytes. A directory
 * that only one has is reported with all below it.
 */
#include "fs/ctl/compare.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "fs/ctl/content.h"
#include "fs/ctl/ctl.h"
#include "fs/ctl/reader.h"

/* A layer's paths have at most 4095 bytes. */
#define PATH_SIZE (64u << 10)

/* Reports what of @r could not be read. Only -ENOMEM ends the comparison. */
static int give_up(struct compare *c, struct reader *r, int code)
{
	struct err e;

	if (code == -ENOMEM)
		return code;
	c->is_incomplete = true;
	ctl_error("%s in %s: %s", buf_text(&c->path), r->options.source,
		  reader_why(r, code, &e));
	return 0;
}

/* ATTRIBUTES */

/* Into @out->data, as a string. */
static int read_target(struct reader *r, uint64_t node, struct buf *out)
{
	void *room;
	int rc;

	buf_clear(out);
	rc = buf_reserve(out, PATH_MAX, &room);
	return rc < 0 ? rc : nodes_readlink(r->nodes, node, room, PATH_MAX, NULL);
}

static int compare_targets(struct compare *c, const struct item *a, const struct item *b,
			   unsigned *what)
{
	/* Not on the stack, of which a tree of 2,000 levels needs much. */
	int rc = read_target(c->a, a->node, &c->values[0]);

	if (rc < 0)
		return give_up(c, c->a, rc);
	rc = read_target(c->b, b->node, &c->values[1]);
	if (rc < 0)
		return give_up(c, c->b, rc);
	if (strcmp(c->values[0].data, c->values[1].data) != 0)
		*what |= DIFFERENT_TARGET;
	return 0;
}

static int compare_content(struct compare *c, const struct item *a, const struct item *b,
			   unsigned *what)
{
	struct content x = {c->a, a->node, (uint64_t)a->attr.st_size};
	struct content y = {c->b, b->node, (uint64_t)b->attr.st_size};
	struct reader *failed = c->a;
	int rc = content_compare(&x, &y, &failed);

	if (rc < 0)
		return give_up(c, failed, rc);
	if (rc == 1)
		*what |= DIFFERENT_CONTENT;
	if (x.size != y.size)
		*what |= DIFFERENT_SIZE;
	return 0;
}

static size_t count_names(const struct buf *list)
{
	size_t i, n = 0;

	for (i = 0; i < list->len; i++)
		n += list->data[i] == '\0';
	return n;
}

/* The value of one xattr. 0: the same, 1: not, or a negative errno of *failed. */
static int compare_value(struct compare *c, uint64_t a, uint64_t b, const char *name,
			 struct reader **failed)
{
	struct buf *x = &c->values[0], *y = &c->values[1];
	ssize_t len = reader_xattr(*failed = c->a, a, name, x);

	if (len >= 0)
		len = reader_xattr(*failed = c->b, b, name, y);
	if (len == -ENODATA || len == -EOPNOTSUPP)
		return 1;
	if (len < 0)
		return (int)len;
	return x->len != y->len || memcmp(buf_text(x), buf_text(y), x->len) != 0;
}

/* As compare_value(), of all. */
static int compare_xattrs(struct compare *c, const struct item *a, const struct item *b,
			  struct reader **failed)
{
	struct buf *x = &c->xattrs[0], *y = &c->xattrs[1];
	ssize_t len = reader_xattr(*failed = c->a, a->node, NULL, x);
	size_t at = 0;
	int rc = 0;

	if (len >= 0)
		len = reader_xattr(*failed = c->b, b->node, NULL, y);
	if (len < 0)
		return (int)len;
	if (x->len != y->len || count_names(x) != count_names(y))
		return 1;
	for (; rc == 0 && at < x->len; at += strlen(x->data + at) + 1)
		rc = compare_value(c, a->node, b->node, x->data + at, failed);
	return rc;
}

static unsigned compare_stats(const struct stat *a, const struct stat *b)
{
	bool is_device = S_ISCHR(a->st_mode) || S_ISBLK(a->st_mode);
	unsigned what = 0;

	if ((a->st_mode & S_IFMT) != (b->st_mode & S_IFMT))
		what |= DIFFERENT_TYPE;
	else if (is_device && a->st_rdev != b->st_rdev)
		what |= DIFFERENT_DEVICE;
	if ((a->st_mode & 07777) != (b->st_mode & 07777))
		what |= DIFFERENT_MODE;
	if (a->st_uid != b->st_uid || a->st_gid != b->st_gid)
		what |= DIFFERENT_OWNER;
	if (a->st_mtim.tv_sec != b->st_mtim.tv_sec ||
	    a->st_mtim.tv_nsec != b->st_mtim.tv_nsec)
		what |= DIFFERENT_TIME;
	return what;
}

static void report(struct compare *c, const struct item *a, const struct item *b,
		   unsigned what)
{
	struct difference d = {.path = buf_text(&c->path), .a = a, .b = b, .what = what};

	c->on_difference(c->arg, &d);
}

/* Reports how something that both have differs, if it does. */
static int compare_items(struct compare *c, const struct item *a, const struct item *b)
{
	unsigned what = compare_stats(&a->attr, &b->attr);
	struct reader *failed = NULL;
	int rc = 0;

	if (!(what & DIFFERENT_TYPE) && S_ISLNK(a->attr.st_mode))
		rc = compare_targets(c, a, b, &what);
	if (!(what & DIFFERENT_TYPE) && S_ISREG(a->attr.st_mode))
		rc = compare_content(c, a, b, &what);
	if (rc < 0)
		return rc;
	if (nodes_may_have_xattrs(c->a->nodes) || nodes_may_have_xattrs(c->b->nodes))
		rc = compare_xattrs(c, a, b, &failed);
	if (rc == 1)
		what |= DIFFERENT_XATTRS;
	else if (rc < 0)
		rc = give_up(c, failed, rc);
	if (what != 0)
		report(c, a, b, what);
	return rc < 0 ? rc : 0;
}

/* THE TREES */

/* A directory of one of the trees, being listed. */
struct side {
	struct reader *reader;
	struct node_list *list;
	const char *name; /* NULL: there are no more */
	struct item item;
	bool is_failed; /* not all names are known */
};

/* The next name. 0 or -ENOMEM. */
static int side_next(struct compare *c, struct side *s)
{
	uint64_t cookie;
	int rc;

	do {
		rc = nodes_list_next(s->list, &s->name, &s->item, &cookie);
	} while (rc > 0 && (strcmp(s->name, ".") == 0 || strcmp(s->name, "..") == 0));
	if (rc <= 0)
		s->name = NULL;
	s->is_failed = rc < 0;
	return rc < 0 ? give_up(c, s->reader, rc) : 0;
}

/* At the first name; without any if it cannot be listed. */
static int side_open(struct compare *c, struct side *s, struct reader *r, uint64_t dir)
{
	int rc = nodes_list_open(r->nodes, dir, 0, NULL, &s->list);

	s->reader = r;
	s->name = NULL;
	s->is_failed = rc < 0;
	if (rc < 0) {
		s->list = NULL;
		return give_up(c, r, rc);
	}
	return side_next(c, s);
}

/* Appends a name to the path; its length before. */
static ssize_t enter(struct compare *c, const char *name)
{
	size_t len = c->path.len;
	int rc = 0;

	if (len > 1)
		rc = buf_append(&c->path, "/", 1);
	if (rc == 0)
		rc = buf_append_text(&c->path, name);
	return rc < 0 ? -ENOMEM : (ssize_t)len;
}

static void leave(struct compare *c, ssize_t len)
{
	c->path.len = (size_t)len;
	c->path.data[len] = '\0';
}

/* Reports @item, which only the tree of @r has, and what is below it. */
static int report_all(struct compare *c, struct reader *r, const struct item *item,
		      bool with_top)
{
	struct side s;
	ssize_t len;
	int rc;

	if (with_top)
		report(c, r == c->a ? item : NULL, r == c->b ? item : NULL, 0);
	if (!S_ISDIR(item->attr.st_mode))
		return 0;
	rc = side_open(c, &s, r, item->node);
	while (rc == 0 && s.name) {
		len = enter(c, s.name);
		if (len < 0) {
			rc = (int)len;
			break;
		}
		rc = report_all(c, r, &s.item, true);
		leave(c, len);
		if (rc == 0)
			rc = side_next(c, &s);
	}
	nodes_list_close(s.list);
	return rc;
}

static int compare_dirs(struct compare *c, uint64_t a, uint64_t b);

/* Something that both have, by its name. */
static int compare_both(struct compare *c, const struct item *a, const struct item *b)
{
	bool a_is_dir = S_ISDIR(a->attr.st_mode), b_is_dir = S_ISDIR(b->attr.st_mode);
	int rc;

	if (a->attr.st_ino == b->attr.st_ino && a_is_dir == b_is_dir)
		return 0;
	rc = compare_items(c, a, b);
	if (rc == 0 && a_is_dir && b_is_dir)
		return compare_dirs(c, a->node, b->node);
	if (rc == 0 && a_is_dir)
		rc = report_all(c, c->a, a, false);
	if (rc == 0 && b_is_dir)
		rc = report_all(c, c->b, b, false);
	return rc;
}

/* The smaller of two names, or both of one name; and the next ones. */
static int compare_next(struct compare *c, struct side *x, struct side *y)
{
	int rc, order = !x->name ? 1 : !y->name ? -1 : strcmp(x->name, y->name);
	ssize_t len = enter(c, order <= 0 ? x->name : y->name);

	if (len < 0)
		return (int)len;
	if (order == 0)
		rc = compare_both(c, &x->item, &y->item);
	else
		rc = report_all(c, order < 0 ? c->a : c->b,
				order < 0 ? &x->item : &y->item, true);
	leave(c, len);
	if (rc == 0 && order <= 0)
		rc = side_next(c, x);
	if (rc == 0 && order >= 0)
		rc = side_next(c, y);
	return rc;
}

static int compare_dirs(struct compare *c, uint64_t a, uint64_t b)
{
	struct side x = {.list = NULL}, y = {.list = NULL};
	int rc;

	rc = side_open(c, &x, c->a, a);
	if (rc == 0)
		rc = side_open(c, &y, c->b, b);
	/* A list that is missing would make all names of the other look added or removed. */
	while (rc == 0 && !x.is_failed && !y.is_failed && (x.name || y.name))
		rc = compare_next(c, &x, &y);
	nodes_list_close(x.list);
	nodes_list_close(y.list);
	return rc;
}

/* The tops are described truly once their lists could be opened. */
static int compare_tops(struct compare *c, uint64_t top_a, uint64_t top_b)
{
	struct item a, b;
	int rc = nodes_describe(c->a->nodes, top_a, NULL, &a);

	if (rc < 0)
		return give_up(c, c->a, rc);
	rc = nodes_describe(c->b->nodes, top_b, NULL, &b);
	if (rc < 0)
		return give_up(c, c->b, rc);
	rc = compare_items(c, &a, &b);
	return rc < 0 ? rc : compare_dirs(c, top_a, top_b);
}

int compare_trees(struct compare *c, uint64_t top_a, uint64_t top_b)
{
	size_t i;
	int rc;

	buf_init(&c->path, PATH_SIZE);
	for (i = 0; i < 2; i++) {
		buf_init(&c->xattrs[i], READER_XATTR_MAX);
		buf_init(&c->values[i], READER_XATTR_MAX);
	}
	rc = buf_append(&c->path, "/", 1);
	if (rc == 0)
		rc = compare_tops(c, top_a, top_b);
	buf_release(&c->path);
	for (i = 0; i < 2; i++) {
		buf_release(&c->xattrs[i]);
		buf_release(&c->values[i]);
	}
	return rc;
}
