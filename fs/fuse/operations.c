/* SPDX-License-Identifier: MIT */
/*
 * The tree of an image never changes, so names, negative names, attributes and symlinks
 * never expire. Node ids need no state, so open and opendir have nothing to do: the reply
 * is ENOSYS, after which the kernel opens, lists and caches by itself. Once all layers are
 * known and none has an xattr, or a hole, ENOSYS ends those requests, too.
 *
 * The status has a new node at each lookup (fs/image/status.h), so its name expires at once.
 * So do the names of texts that get sizes later, and the attributes of roots whose tree is not
 * loaded.
 */
#include "fs/fuse/operations.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <fuse_lowlevel.h>

#include "fs/fuse/caps.h"
#include "fs/fuse/request.h"
#include "fs/fuse/served.h"
#include "fs/image/context.h"
#include "fs/image/images.h"
#include "fs/image/item.h"
#include "fs/image/list_request.h"
#include "fs/image/status.h"
#include "fs/options/options.h"
#include "fs/node/nodes.h"
#include "fs/tree/short_inos.h"

/* Longer than any mount; the kernel cuts it to the range of its clock. */
#define NEVER_EXPIRES 1e9

/* As Linux limits them (XATTR_SIZE_MAX, XATTR_LIST_MAX). */
#define XATTR_MAX 65536

/* Requests that the kernel makes in the background, such as readahead, at one time. */
#define BACKGROUND_MAX 4096

static const struct nodes *nodes_of(fuse_req_t req)
{
	return ((struct served *)fuse_req_userdata(req))->nodes;
}

static void count(fuse_req_t req, enum mount_op op)
{
	context_count(nodes_of(req)->context, op);
}

static void on_init(void *arg, struct fuse_conn_info *conn)
{
	struct served *s = arg;
	const struct nodes *n = s->nodes;
	const struct context *c = n->context;

	s->no_open = caps_has(conn, FUSE_CAP_NO_OPEN_SUPPORT);
	s->no_opendir = caps_has(conn, FUSE_CAP_NO_OPENDIR_SUPPORT);
	/*
	 * A namespace changes, and so does a list of images: the kernel lists a directory again
	 * if its time has changed.
	 */
	if (!n->namespace && !n->list)
		caps_refuse(conn, FUSE_CAP_AUTO_INVAL_DATA);
	/* Attributes with each name: by default the kernel asks for many of them singly. */
	caps_refuse(conn, FUSE_CAP_READDIRPLUS_AUTO);
	caps_want(conn, FUSE_CAP_CACHE_SYMLINKS);
	caps_want(conn, FUSE_CAP_PARALLEL_DIROPS);
	/*
	 * File handles stay good when the kernel has forgotten the inode: it looks up "." and
	 * "..". Any node id can be served at any time.
	 */
	caps_want(conn, FUSE_CAP_EXPORT_SUPPORT);
	/*
	 * With ACLs enabled the kernel caches them, absent ones too; `ls -l` asks for them.
	 * But it also enforces them, which must not shut out the user who mounted.
	 */
	if (nodes_may_have_xattrs(n) && (c->options->default_permissions || c->uid == 0))
		caps_want(conn, FUSE_CAP_POSIX_ACL);
	/*
	 * The kernel waits for an asynchronous direct read whatever signal comes. It interrupts
	 * a synchronous one.
	 */
	caps_refuse(conn, FUSE_CAP_ASYNC_DIO);
	/*
	 * Readahead hides the latency of the network. Readahead of any number of files that are
	 * not in the store must leave room: that of stored files would queue behind it.
	 */
	conn->max_background = BACKGROUND_MAX;
	conn->congestion_threshold = BACKGROUND_MAX / 4 * 3;
	s->ready(s->arg);
}

/* NAMES AND ATTRIBUTES */

/* What options change in the attributes of a node. 0 or a negative errno. */
static int set_shown(const struct served *s, struct stat *st)
{
	const struct options *o = s->nodes->context->options;
	uint32_t number = 0;
	int rc = 0;

	if (o->uid >= 0)
		st->st_uid = (uid_t)o->uid;
	if (o->gid >= 0)
		st->st_gid = (gid_t)o->gid;
	if (s->inos) {
		rc = short_inos_get(s->inos, st->st_ino, &number);
		st->st_ino = number;
	}
	return rc;
}

static double timeout_of(const struct item *item)
{
	return item->expires ? item->seconds : NEVER_EXPIRES;
}

static double attr_timeout(const struct item *item)
{
	return item->is_provisional ? 0 : timeout_of(item);
}

static void fill_entry(const struct item *item, struct fuse_entry_param *e)
{
	memset(e, 0, sizeof(*e));
	e->ino = item->node;
	e->attr = item->attr;
	e->attr_timeout = attr_timeout(item);
	e->entry_timeout = item->is_live ? 0 : timeout_of(item);
}

/* LOOKING UP */

static int do_lookup(struct request *r)
{
	const struct nodes *nodes = r->served->nodes;
	struct fuse_entry_param e;
	struct item item = {0};
	int rc = nodes_lookup(nodes, r->node, r->name, &r->waiter, &item);

	if (rc == 0)
		rc = set_shown(r->served, &item.attr);
	if (rc < 0 && rc != -ENOENT)
		return request_fail(r, rc);
	if (rc == -ENOENT) /* node 0: a negative name, which mostly never expires */
		item = (struct item){.expires = item.expires, .seconds = item.seconds};
	fill_entry(&item, &e);
	fuse_reply_entry(r->req, &e);
	return 0;
}

static void on_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct request r = {.req = req, .work = do_lookup, .node = parent, .name = name};

	request_serve(&r, OP_LOOKUP);
}

/* Of an open file at a read behind its end, or a seek from there: its size must be right. */
static int do_getattr(struct request *r)
{
	const struct nodes *nodes = r->served->nodes;
	struct item item;
	int rc = r->is_open ? nodes_measure(nodes, r->node, &r->waiter, &item)
			    : nodes_describe(nodes, r->node, &r->waiter, &item);

	if (rc == 0)
		rc = set_shown(r->served, &item.attr);
	if (rc < 0)
		return request_fail(r, rc);
	fuse_reply_attr(r->req, &item.attr, attr_timeout(&item));
	return 0;
}

static void on_getattr(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
	struct request r = {
		.req = req, .work = do_getattr, .node = node, .is_open = fi != NULL};

	request_serve(&r, OP_GETATTR);
}

static int do_readlink(struct request *r)
{
	char text[PATH_MAX];
	int rc = nodes_readlink(r->served->nodes, r->node, text, sizeof(text),
				&r->waiter);

	if (rc < 0)
		return request_fail(r, rc);
	fuse_reply_readlink(r->req, text);
	return 0;
}

static void on_readlink(fuse_req_t req, fuse_ino_t node)
{
	struct request r = {.req = req, .work = do_readlink, .node = node};

	request_serve(&r, OP_READLINK);
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
	fill_entry(item, &e);
	return fuse_add_direntry_plus(req, buf, size, name, &e, (off_t)cookie);
}

/* As many names as fit into @buf: the number of bytes. */
static ssize_t list_names(struct request *r, char *buf)
{
	struct node_list *l = NULL;
	struct item item;
	const char *name;
	uint64_t cookie;
	size_t done = 0, len;
	int rc;

	rc = nodes_list_open(r->served->nodes, r->node, (uint64_t)r->off, &r->waiter, &l);
	while (rc == 0 && (rc = nodes_list_next(l, &name, &item, &cookie)) > 0) {
		rc = set_shown(r->served, &item.attr);
		if (rc < 0)
			break;
		len = add_name(r->req, buf + done, r->size - done, name, &item, cookie,
			       r->plus);
		if (len > r->size - done)
			break;
		done += len;
	}
	nodes_list_close(l);
	/* Return the names collected so far; the next call reports the error. */
	return rc < 0 && done == 0 ? rc : (ssize_t)done;
}

static int do_readdir(struct request *r)
{
	char *buf = malloc(r->size);
	ssize_t n = buf ? list_names(r, buf) : -ENOMEM;
	int rc = 0;

	if (n == -ENODATA) /* less than a name: an end, but the kernel does not keep it */
		fuse_reply_buf(r->req, "", 1);
	else if (n < 0)
		rc = request_fail(r, n);
	else
		fuse_reply_buf(r->req, buf, (size_t)n);
	free(buf);
	return rc;
}

static void on_readdir(fuse_req_t req, fuse_ino_t node, size_t size, off_t off,
		       struct fuse_file_info *fi)
{
	struct request r = {
		.req = req, .work = do_readdir, .node = node, .size = size, .off = off};

	(void)fi;
	request_serve(&r, OP_READDIR);
}

static void on_readdirplus(fuse_req_t req, fuse_ino_t node, size_t size, off_t off,
			   struct fuse_file_info *fi)
{
	struct request r = {.req = req,
			    .work = do_readdir,
			    .node = node,
			    .size = size,
			    .off = off,
			    .plus = true};

	(void)fi;
	request_serve(&r, OP_READDIRPLUS);
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

static int do_read(struct request *r)
{
	struct served *s = r->served;
	char *buf = malloc(r->size);
	ssize_t n = buf ? nodes_read(s->nodes, r->node, buf, r->size, (uint64_t)r->off,
				     &r->waiter)
			: -ENOMEM;
	int rc = 0;

	if (n > 0 && r->off == 0)
		pusher_on_read(&s->pusher, r->node);
	if (n < 0)
		rc = request_fail(r, n);
	else
		fuse_reply_buf(r->req, buf, (size_t)n);
	free(buf);
	return rc;
}

static void on_read(fuse_req_t req, fuse_ino_t node, size_t size, off_t off,
		    struct fuse_file_info *fi)
{
	struct request r = {
		.req = req, .work = do_read, .node = node, .size = size, .off = off};

	(void)fi;
	request_serve(&r, OP_READ);
}

static int do_lseek(struct request *r)
{
	const struct nodes *nodes = r->served->nodes;
	off_t rc = -ENOSYS;

	/* Without holes the kernel knows the answers itself. */
	if (nodes_may_have_holes(nodes))
		rc = nodes_seek(nodes, r->node, r->off, r->whence, &r->waiter);
	if (rc < 0)
		return request_fail(r, rc);
	fuse_reply_lseek(r->req, rc);
	return 0;
}

static void on_lseek(fuse_req_t req, fuse_ino_t node, off_t off, int whence,
		     struct fuse_file_info *fi)
{
	struct request r = {
		.req = req, .work = do_lseek, .node = node, .off = off, .whence = whence};

	(void)fi;
	request_serve(&r, OP_LSEEK);
}

/* EXTENDED ATTRIBUTES AND TOTALS */

static int reply_xattr(const struct request *r, ssize_t n, const char *buf)
{
	if (n < 0)
		return request_fail(r, n);
	if (r->size == 0)
		fuse_reply_xattr(r->req, (size_t)n);
	else
		fuse_reply_buf(r->req, buf, (size_t)n);
	return 0;
}

/* getxattr if the request has a name, else listxattr. */
static int do_xattr(struct request *r)
{
	const struct nodes *nodes = r->served->nodes;
	char *buf = NULL;
	ssize_t n = -ENOSYS;
	int rc;

	if (nodes_may_have_xattrs(nodes)) {
		buf = malloc(r->size + 1);
		n = -ENOMEM;
	}
	if (buf)
		n = r->name ? nodes_getxattr(nodes, r->node, r->name, buf, r->size,
					     &r->waiter)
			    : nodes_listxattr(nodes, r->node, buf, r->size, &r->waiter);
	rc = reply_xattr(r, n, buf);
	free(buf);
	return rc;
}

static void on_getxattr(fuse_req_t req, fuse_ino_t node, const char *name, size_t size)
{
	struct request r = {.req = req,
			    .work = do_xattr,
			    .node = node,
			    .name = name,
			    .size = size < XATTR_MAX ? size : XATTR_MAX};

	request_serve(&r, OP_GETXATTR);
}

/*
 * An empty list instead of ENOSYS would spare `tar --xattrs` a warning for each file, but
 * cost each `ls -l` a request for each file: the kernel caches only ENOSYS.
 */
static void on_listxattr(fuse_req_t req, fuse_ino_t node, size_t size)
{
	struct request r = {.req = req,
			    .work = do_xattr,
			    .node = node,
			    .size = size < XATTR_MAX ? size : XATTR_MAX};

	request_serve(&r, OP_LISTXATTR);
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

/* A change to the list of images: r->name is the reference, r->whence the action. */
static int do_change_list(struct request *r)
{
	struct list_request p = {.action = (uint32_t)r->whence};
	int rc;

	snprintf(p.reference, sizeof(p.reference), "%s", r->name);
	rc = nodes_change_list(r->served->nodes, r->node, &p, &r->waiter);
	if (rc < 0)
		return request_fail(r, rc);
	fuse_reply_ioctl(r->req, 0, &p, sizeof(p));
	return 0;
}

/*
 * A kernel that allows idmapped mounts tells only the process: init_reply.h. Its real user is
 * taken, which no set-user-ID program changes.
 */
static uid_t caller_of(fuse_req_t req)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	char path[32], line[128];
	uid_t uid = ctx->uid;
	FILE *f;

	if (uid != (uid_t)-1 || ctx->pid <= 0)
		return uid;
	snprintf(path, sizeof(path), "/proc/%d/status", (int)ctx->pid);
	f = fopen(path, "re");
	while (f && uid == (uid_t)-1 && fgets(line, sizeof(line), f))
		(void)sscanf(line, "Uid: %u", &uid);
	if (f)
		fclose(f);
	return uid;
}

static void change_list(fuse_req_t req, fuse_ino_t node, const void *in)
{
	uid_t uid = caller_of(req);
	struct list_request p;
	struct request r = {
		.req = req, .work = do_change_list, .node = node, .name = p.reference};

	memcpy(&p, in, sizeof(p));
	p.reference[sizeof(p.reference) - 1] = '\0';
	r.whence = (int)p.action;
	if (uid != 0 && uid != geteuid())
		fuse_reply_err(req, EPERM);
	else
		request_serve(&r, OP_IOCTL);
}

/* For peelctl: it needs no file, and so works with layout=rootfs, and loads nothing. */
static void on_ioctl(fuse_req_t req, fuse_ino_t node, unsigned cmd, void *arg,
		     struct fuse_file_info *fi, unsigned flags, const void *in,
		     size_t in_size, size_t out_size)
{
	struct status_piece p;
	int rc = -ENOTTY;

	(void)arg;
	(void)fi;
	(void)flags;
	if (cmd == LIST_IOCTL && in_size == sizeof(struct list_request) &&
	    out_size == in_size) {
		change_list(req, node, in);
		return;
	}
	if (cmd == STATUS_IOCTL && in_size == sizeof(p) && out_size == sizeof(p)) {
		memcpy(&p, in, sizeof(p));
		rc = nodes_status(nodes_of(req), node, &p);
	}
	if (rc < 0)
		fuse_reply_err(req, -rc);
	else
		fuse_reply_ioctl(req, 0, &p, sizeof(p));
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
		.ioctl = on_ioctl,
	};

	return &table;
}
