/* SPDX-License-Identifier: MIT */
/*
 * The tree of an image never changes, so names, negative names, attributes and symlinks
 * never expire. Node ids need no state, so open and opendir have nothing to do: the reply
 * is ENOSYS, after which the kernel opens, lists and caches by itself. If no layer has an
 * xattr, or a hole, ENOSYS ends those requests, too.
 *
 * The one live file has a new node at each lookup (snapshots.h), and its name expires at
 * once.
 */
#include "fs/fuse/operations.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <fuse_lowlevel.h>

#include "fs/image/context.h"
#include "fs/image/images.h"
#include "fs/image/item.h"
#include "fs/options/options.h"
#include "fs/node/nodes.h"

/* Longer than any mount; the kernel cuts it to the range of its clock. */
#define NEVER_EXPIRES 1e9

/* As Linux limits them (XATTR_SIZE_MAX, XATTR_LIST_MAX). */
#define XATTR_MAX 65536

static const struct nodes *nodes_of(fuse_req_t req)
{
	return ((struct served *)fuse_req_userdata(req))->nodes;
}

static void count(fuse_req_t req, enum mount_op op)
{
	context_count(nodes_of(req)->context, op);
}

/* Asks for a capability; false if the kernel does not have it. */
static bool want(struct fuse_conn_info *conn, unsigned long cap)
{
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 17)
	return fuse_set_feature_flag(conn, cap);
#else
	if (!(conn->capable & cap))
		return false;
	conn->want |= (unsigned)cap;
	return true;
#endif
}

static void do_not_want(struct fuse_conn_info *conn, unsigned long cap)
{
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 17)
	fuse_unset_feature_flag(conn, cap);
#else
	conn->want &= ~(unsigned)cap;
#endif
}

static bool is_capable(const struct fuse_conn_info *conn, unsigned long cap)
{
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 17)
	return conn->capable_ext & cap;
#else
	return conn->capable & cap;
#endif
}

static void on_init(void *arg, struct fuse_conn_info *conn)
{
	struct served *s = arg;
	const struct nodes *n = s->nodes;
	const struct context *c = n->context;

	s->no_open = is_capable(conn, FUSE_CAP_NO_OPEN_SUPPORT);
	s->no_opendir = is_capable(conn, FUSE_CAP_NO_OPENDIR_SUPPORT);
	/* A namespace changes: the kernel lists a directory again if its time has changed. */
	if (!n->namespace)
		do_not_want(conn, FUSE_CAP_AUTO_INVAL_DATA);
	/* Attributes with each name: by default the kernel asks for many of them singly. */
	do_not_want(conn, FUSE_CAP_READDIRPLUS_AUTO);
	want(conn, FUSE_CAP_CACHE_SYMLINKS);
	want(conn, FUSE_CAP_PARALLEL_DIROPS);
	/*
	 * With ACLs enabled the kernel caches them, absent ones too; `ls -l` asks for them.
	 * But it also enforces them, which must not shut out the user who mounted.
	 */
	if (n->has_xattrs && (c->options->default_permissions || c->uid == 0))
		want(conn, FUSE_CAP_POSIX_ACL);
	/* Readahead hides the latency of the network. */
	conn->max_background = 64;
	conn->congestion_threshold = 48;
	s->ready(s->arg);
}

/* NAMES AND ATTRIBUTES */

static void own(const struct nodes *n, struct stat *st)
{
	const struct options *o = n->context->options;

	if (o->uid >= 0)
		st->st_uid = (uid_t)o->uid;
	if (o->gid >= 0)
		st->st_gid = (gid_t)o->gid;
}

static double lasts(const struct item *item)
{
	return item->expires ? item->seconds : NEVER_EXPIRES;
}

static void fill_entry(const struct nodes *n, const struct item *item,
		       struct fuse_entry_param *e)
{
	memset(e, 0, sizeof(*e));
	e->ino = item->node;
	e->attr = item->attr;
	own(n, &e->attr);
	e->attr_timeout = lasts(item);
	e->entry_timeout = item->is_live ? 0 : lasts(item);
}

/* WAITS */

static void on_interrupt(fuse_req_t req, void *arg)
{
	(void)req;
	waiter_cancel(arg);
}

static void watch(struct waiter *w, bool on)
{
	fuse_req_interrupt_func(w->arg, on ? on_interrupt : NULL, on ? w : NULL);
}

static struct waiter waiter_of(fuse_req_t req)
{
	return (struct waiter){
		.all = &nodes_of(req)->context->waiters,
		.watch = watch,
		.arg = req,
	};
}

static void on_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	const struct nodes *n = nodes_of(req);
	struct waiter w = waiter_of(req);
	struct fuse_entry_param e;
	struct item item = {0};
	int rc;

	count(req, OP_LOOKUP);
	rc = nodes_lookup(n, parent, name, &w, &item);
	if (rc < 0 && rc != -ENOENT) {
		fuse_reply_err(req, -rc);
		return;
	}
	if (rc == -ENOENT) /* node 0: a negative name, which mostly never expires */
		item = (struct item){.expires = item.expires, .seconds = item.seconds};
	fill_entry(n, &item, &e);
	fuse_reply_entry(req, &e);
}

static void on_getattr(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
	const struct nodes *n = nodes_of(req);
	struct waiter w = waiter_of(req);
	struct item item;
	int rc;

	(void)fi;
	count(req, OP_GETATTR);
	rc = nodes_describe(n, node, &w, &item);
	if (rc < 0) {
		fuse_reply_err(req, -rc);
		return;
	}
	own(n, &item.attr);
	fuse_reply_attr(req, &item.attr, lasts(&item));
}

static void on_readlink(fuse_req_t req, fuse_ino_t node)
{
	const struct nodes *n = nodes_of(req);
	struct waiter w = waiter_of(req);
	char text[PATH_MAX];
	int rc;

	count(req, OP_READLINK);
	rc = nodes_readlink(n, node, text, sizeof(text), &w);
	if (rc < 0)
		fuse_reply_err(req, -rc);
	else
		fuse_reply_readlink(req, text);
}

/* DIRECTORIES */

static void on_opendir(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
	struct served *s = fuse_req_userdata(req);

	(void)node;
	count(req, OP_OPENDIR);
	if (s->no_opendir) {
		fuse_reply_err(req, ENOSYS);
		return;
	}
	fi->cache_readdir = 1;
	fi->keep_cache = 1;
	fuse_reply_open(req, fi);
}

static size_t add_name(fuse_req_t req, char *buf, size_t size, const char *name,
		       const struct item *item, uint64_t cookie, bool plus)
{
	struct fuse_entry_param e;

	if (!plus)
		return fuse_add_direntry(req, buf, size, name, &item->attr,
					 (off_t)cookie);
	fill_entry(nodes_of(req), item, &e);
	return fuse_add_direntry_plus(req, buf, size, name, &e, (off_t)cookie);
}

/* As many names as fit into @buf: the number of bytes. */
static ssize_t list_names(fuse_req_t req, fuse_ino_t node, char *buf, size_t size,
			  off_t off, bool plus)
{
	struct waiter w = waiter_of(req);
	struct node_list *l = NULL;
	struct item item;
	const char *name;
	uint64_t cookie;
	size_t done = 0, len;
	int rc;

	rc = nodes_list_open(nodes_of(req), node, (uint64_t)off, &w, &l);
	while (rc == 0 && (rc = nodes_list_next(l, &name, &item, &cookie)) > 0) {
		len = add_name(req, buf + done, size - done, name, &item, cookie, plus);
		if (len > size - done)
			break;
		done += len;
		rc = 0;
	}
	nodes_list_close(l);
	/* Return the names collected so far; the next call reports the error. */
	return rc < 0 && done == 0 ? rc : (ssize_t)done;
}

static void reply_names(fuse_req_t req, fuse_ino_t node, size_t size, off_t off,
			bool plus)
{
	char *buf = malloc(size);
	ssize_t n = buf ? list_names(req, node, buf, size, off, plus) : -ENOMEM;

	if (n < 0)
		fuse_reply_err(req, (int)-n);
	else
		fuse_reply_buf(req, buf, (size_t)n);
	free(buf);
}

static void on_readdir(fuse_req_t req, fuse_ino_t node, size_t size, off_t off,
		       struct fuse_file_info *fi)
{
	(void)fi;
	count(req, OP_READDIR);
	reply_names(req, node, size, off, false);
}

static void on_readdirplus(fuse_req_t req, fuse_ino_t node, size_t size, off_t off,
			   struct fuse_file_info *fi)
{
	(void)fi;
	count(req, OP_READDIRPLUS);
	reply_names(req, node, size, off, true);
}

/* FILES */

static void on_open(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
	struct served *s = fuse_req_userdata(req);

	(void)node;
	count(req, OP_OPEN);
	if (s->no_open) {
		fuse_reply_err(req, ENOSYS);
		return;
	}
	fi->keep_cache = 1;
	fuse_reply_open(req, fi);
}

static void on_read(fuse_req_t req, fuse_ino_t node, size_t size, off_t off,
		    struct fuse_file_info *fi)
{
	struct served *s = fuse_req_userdata(req);
	struct waiter w = waiter_of(req);
	char *buf = malloc(size);
	ssize_t n;

	(void)fi;
	count(req, OP_READ);
	n = buf ? nodes_read(s->nodes, node, buf, size, (uint64_t)off, &w) : -ENOMEM;
	if (n > 0 && off == 0)
		pusher_on_read(&s->pusher, node);
	if (n < 0)
		fuse_reply_err(req, (int)-n);
	else
		fuse_reply_buf(req, buf, (size_t)n);
	free(buf);
}

static void on_lseek(fuse_req_t req, fuse_ino_t node, off_t off, int whence,
		     struct fuse_file_info *fi)
{
	const struct nodes *n = nodes_of(req);
	struct waiter w = waiter_of(req);
	off_t rc = -ENOSYS;

	(void)fi;
	count(req, OP_LSEEK);
	/* After ENOSYS the kernel answers by itself, as for files without holes. */
	if (n->has_sparse)
		rc = nodes_seek(n, node, off, whence, &w);
	if (rc < 0)
		fuse_reply_err(req, (int)-rc);
	else
		fuse_reply_lseek(req, rc);
}

/* EXTENDED ATTRIBUTES AND TOTALS */

static void reply_xattr(fuse_req_t req, ssize_t n, const char *buf, size_t size)
{
	if (n < 0)
		fuse_reply_err(req, (int)-n);
	else if (size == 0)
		fuse_reply_xattr(req, (size_t)n);
	else
		fuse_reply_buf(req, buf, (size_t)n);
}

static void on_getxattr(fuse_req_t req, fuse_ino_t node, const char *name, size_t size)
{
	const struct nodes *n = nodes_of(req);
	struct waiter w = waiter_of(req);
	char *buf = NULL;
	ssize_t len = -ENOSYS;

	count(req, OP_GETXATTR);
	if (size > XATTR_MAX)
		size = XATTR_MAX;
	if (n->has_xattrs) {
		buf = malloc(size + 1);
		len = buf ? nodes_getxattr(n, node, name, buf, size, &w) : -ENOMEM;
	}
	reply_xattr(req, len, buf, size);
	free(buf);
}

/*
 * An empty list instead of ENOSYS would spare `tar --xattrs` a warning for each file, but
 * cost each `ls -l` a request for each file: the kernel caches only ENOSYS.
 */
static void on_listxattr(fuse_req_t req, fuse_ino_t node, size_t size)
{
	const struct nodes *n = nodes_of(req);
	struct waiter w = waiter_of(req);
	char *buf = NULL;
	ssize_t len = -ENOSYS;

	count(req, OP_LISTXATTR);
	if (size > XATTR_MAX)
		size = XATTR_MAX;
	if (n->has_xattrs) {
		buf = malloc(size + 1);
		len = buf ? nodes_listxattr(n, node, buf, size, &w) : -ENOMEM;
	}
	reply_xattr(req, len, buf, size);
	free(buf);
}

static void on_statfs(fuse_req_t req, fuse_ino_t node)
{
	struct statvfs st = {.f_bsize = 4096, .f_frsize = 4096, .f_namemax = NAME_MAX};
	uint64_t bytes, files;
	size_t n_images;

	(void)node;
	images_totals(nodes_of(req)->images, &bytes, &files, &n_images);
	st.f_blocks = bytes / 4096 + (bytes % 4096 > 0);
	st.f_files = files;
	count(req, OP_STATFS);
	fuse_reply_statfs(req, &st);
}

/* libfuse answers all other requests with ENOSYS, and forget with nothing. */
const struct fuse_lowlevel_ops *ops_table(void)
{
	static const struct fuse_lowlevel_ops table = {
		.init = on_init,
		.lookup = on_lookup,
		.getattr = on_getattr,
		.readlink = on_readlink,
		.opendir = on_opendir,
		.readdir = on_readdir,
		.readdirplus = on_readdirplus,
		.open = on_open,
		.read = on_read,
		.lseek = on_lseek,
		.getxattr = on_getxattr,
		.listxattr = on_listxattr,
		.statfs = on_statfs,
	};

	return &table;
}
