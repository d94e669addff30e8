/* SPDX-License-Identifier: MIT */
/* What each kind of node answers to each operation. */
#include "fs/node/nodes.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "fs/image/context.h"
#include "fs/image/images.h"
#include "fs/image/item.h"
#include "fs/image/layers.h"
#include "fs/image/status.h"
#include "fs/image/workers.h"
#include "fs/names/namespace.h"
#include "fs/options/log.h"
#include "fs/options/options.h"
#include "tests/unit/oci_dir.h"
#include "tests/unit/place.h"
#include "tests/unit/tarball.h"
#include "tests/unit/test.h"

static struct options options = {.source = (char *)"/",
				 .cache = CACHE_NONE,
				 .tag_ttl = 60,
				 .client = {.offline = true, .timeout = 1}};
static struct log quiet;
static struct context context;
static struct workers workers;
static struct layers layers;
static struct images images;
static struct snapshots snapshots;

/* AN IMAGE ON DISK */

static void make_layer(struct buf *tar)
{
	uint8_t h[HEADER_SIZE];

	archive_init(tar);
	archive_entry(tar, "d/", '5', "");
	archive_entry(tar, "d/f", '0', "hello");
	header_make(h, "l", '2', 0);
	memcpy(h + 157, "d/f", 4);
	archive_header(tar, h);
	archive_end(tar);
}

static void make_image(void)
{
	struct buf tar;

	make_layer(&tar);
	oci_dir_make(&tar, 1);
	buf_release(&tar);
}

/* THE MOUNT */

static void start(struct nodes *n, const char *source)
{
	struct err e = {""};

	if (context_open(&context, &options, &quiet, "/mnt", &e) < 0)
		exit(1);
	workers_init(&workers);
	layers_init(&layers, &context, &workers);
	images_init(&images, &context, &layers, &workers);
	snapshots_init(&snapshots);
	if (!is_int(images_open_first(&images, source, &e), 0, "opened %s", e.text))
		exit(1);
	if (source && !is_int(images_load_first(&images, &e), 0, "loaded %s", e.text))
		exit(1);
	*n = (struct nodes){.context = &context,
			    .layers = &layers,
			    .images = &images,
			    .snapshots = &snapshots};
}

static void stop(struct nodes *n)
{
	images_close(&images);
	images_release(&images);
	layers_release(&layers);
	namespace_free(n->namespace);
	snapshots_release(&snapshots);
	workers_release(&workers);
	context_close(&context);
}

/* The node at a path; "*" is the first name in its directory. */
static uint64_t find(const struct nodes *n, const char *path)
{
	char part[NAME_MAX + 1];
	uint64_t node = NODES_TOP, cookie;
	struct node_list *l = NULL;
	const char *name;
	struct item item;
	size_t len;

	for (; *path; path += len + (path[len] == '/')) {
		len = strcspn(path, "/");
		snprintf(part, sizeof(part), "%.*s", (int)len, path);
		if (strcmp(part, "*") == 0 &&
		    nodes_list_open(n, node, 2, NULL, &l) == 0 &&
		    nodes_list_next(l, &name, &item, &cookie) == 1)
			snprintf(part, sizeof(part), "%s", name);
		nodes_list_close(l);
		l = NULL;
		if (nodes_lookup(n, node, part, NULL, &item) < 0)
			return 0;
		node = item.node;
	}
	return node;
}

/* How many names there are, or the failure. */
static int list(const struct nodes *n, uint64_t node)
{
	struct node_list *l = NULL;
	const char *name;
	struct item item;
	uint64_t cookie;
	int rc = nodes_list_open(n, node, 0, NULL, &l), names = 0;

	while (rc == 0 && (rc = nodes_list_next(l, &name, &item, &cookie)) == 1) {
		names++;
		rc = 0;
	}
	nodes_list_close(l);
	return rc < 0 ? rc : names;
}

struct row {
	const char *path; /* NULL: @node */
	uint64_t node;
	int describe, lookup, list, readlink;
	ssize_t read;
	off_t seek;
	int getxattr, listxattr;
};

static void check_row(const struct nodes *n, const struct row *row)
{
	uint64_t node = row->path ? find(n, row->path) : row->node;
	const char *what = row->path ? row->path : "no node";
	char buf[4096];
	struct item item;
	ssize_t got;

	ok(node != 0, "%s is a node", what);
	is_int(nodes_describe(n, node, NULL, &item), row->describe, "%s: describe", what);
	is_int(nodes_lookup(n, node, ".nope", NULL, &item), row->lookup, "lookup");
	is_int(list(n, node), row->list, "list");
	is_int(nodes_readlink(n, node, buf, sizeof(buf), NULL), row->readlink,
	       "readlink");
	got = nodes_read(n, node, buf, sizeof(buf), 0, NULL);
	is_int(got > 0 && row->read > 0 ? row->read : got, row->read, "read");
	is_int(nodes_seek(n, node, 0, SEEK_DATA, NULL), row->seek, "seek");
	is_int(nodes_getxattr(n, node, "user.x", buf, sizeof(buf), NULL), row->getxattr,
	       "getxattr");
	is_int(nodes_listxattr(n, node, buf, sizeof(buf), NULL), row->listxattr,
	       "listxattr");
}

#define NONE  (-ENODATA)
#define LOST  (-ESTALE)
#define SOME  1 /* bytes */
#define NO_ID UINT64_C(0xfffff)

/* By ioctl(2), in pieces: the same as the file at that moment. */
static void check_status(const struct nodes *n, const char *begin)
{
	struct status_piece p = {.off = 0}, rest;

	is_int(nodes_status(n, NODES_TOP, &p), 0, "the top has a status");
	ok(p.number > 0 && p.len > 100 && p.len < sizeof(p.data), "in one piece");
	ok(strstr(p.data, begin) != NULL, "with %s", begin);
	rest = (struct status_piece){.number = p.number, .off = p.len - 3};
	is_int(nodes_status(n, NODES_TOP, &rest), 0, "a part of it");
	ok(rest.len == 3 && memcmp(rest.data, p.data + rest.off, 3) == 0, "is its end");
	rest.off = p.len;
	is_int(nodes_status(n, NODES_TOP, &rest), 0, "behind its end");
	is_int(rest.len, 0, "is nothing");
	rest.number = p.number + 1;
	is_int(nodes_status(n, NODES_TOP, &rest), -ESTALE, "a later one is not there");
	is_int(nodes_status(n, NODES_TOP + 1, &p), -ENOTTY, "other nodes have none");
}

static void check_image(void)
{
	static const struct row rows[] = {
		/* synthetic: a directory, a document, a live file, a blob */
		{"", 0, 0, -ENOENT, 12, -EINVAL, -EISDIR, -ENXIO, NONE, 0},
		{"config.json", 0, 0, -ENOENT, 2, -EINVAL, SOME, 0, NONE, 0},
		{"rootfs.erofs", 0, 0, -ENOENT, 2, -EINVAL, SOME, 0, NONE, 0},
		{".peelfs/status.json", 0, 0, -ENOENT, 2, -EINVAL, SOME, 0, NONE, 0},
		{"oci/blobs/sha256/*", 0, 0, -ENOENT, 2, -EINVAL, SOME, 0, NONE, 0},
		/* merged */
		{"rootfs", 0, 0, -ENOENT, 4, -EINVAL, -EISDIR, -ENXIO, NONE, 0},
		{"rootfs/d", 0, 0, -ENOENT, 3, -EINVAL, -EISDIR, 0, NONE, 0},
		/* file */
		{"rootfs/d/f", 0, 0, -ENOTDIR, -ENOTDIR, -EINVAL, 5, 0, NONE, 0},
		{"rootfs/l", 0, 0, -ENOTDIR, -ENOTDIR, 0, -EINVAL, 0, NONE, 0},
		/* raw */
		{"layers/*", 0, 0, -ENOENT, 4, -EINVAL, -EISDIR, -ENXIO, NONE, 0},
		{"layers/*/d", 0, 0, -ENOENT, 3, -EINVAL, -EISDIR, 0, NONE, 0},
		/* nodes that were never given out: of image or layer 1048575 */
		{NULL, NO_ID << 42, LOST, LOST, LOST, LOST, LOST, LOST, NONE, 0},
		{NULL, UINT64_C(1) << 62 | NO_ID << 32, LOST, LOST, LOST, LOST, LOST,
		 LOST, LOST, LOST},
		{NULL, UINT64_C(2) << 62 | NO_ID << 42, LOST, LOST, LOST, LOST, LOST,
		 LOST, LOST, LOST},
		{NULL, UINT64_C(3) << 62 | NO_ID << 42, LOST, LOST, LOST, LOST, LOST,
		 LOST, LOST, LOST},
	};
	char source[PATH_MAX + 8];
	struct nodes n;
	size_t i;

	snprintf(source, sizeof(source), "oci:%s", place);
	start(&n, source);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_row(&n, &rows[i]);
	ok(find(&n, "layers/*/d/f") == find(&n, "rootfs/d/f"), "a file is one node");
	is_int(nodes_seek(&n, find(&n, "rootfs/d/f"), 0, SEEK_HOLE, NULL), 5,
	       "its end is a hole");
	is_int(nodes_seek(&n, NODES_TOP, 0, SEEK_SET, NULL), -EINVAL, "another seek");
	is_int(nodes_stored_size(&n, NODES_TOP, 4096, NULL), -EINVAL,
	       "a directory is not stored");
	check_status(&n, "\"image\"");
	stop(&n);
}

/* Its size is known when it is measured, or looked at after the layers were loaded. */
static void check_erofs(void)
{
	char source[PATH_MAX + 8], block[4096];
	struct item item = {0};
	uint64_t node;
	struct nodes n;

	snprintf(source, sizeof(source), "oci:%s", place);
	start(&n, source);
	node = find(&n, "rootfs.erofs");
	is_int(nodes_describe(&n, node, NULL, &item), 0, "described");
	ok(item.is_provisional && item.attr.st_size == 0, "its size is not known");
	ok(!view_has_tree(images.first), "nothing was loaded for that");
	is_int(nodes_measure(&n, node, NULL, &item), 0, "measured");
	ok(!item.is_provisional && item.attr.st_size > 0 && item.attr.st_size % 4096 == 0,
	   "its size is known");
	is_int(nodes_read(&n, node, block, 4096, (uint64_t)item.attr.st_size - 4096,
			  NULL),
	       4096, "its last block");
	ok(memcmp(block, "hello\0", 6) == 0, "is that of its last file");
	is_int(nodes_read(&n, node, block, 4096, (uint64_t)item.attr.st_size, NULL), 0,
	       "its end");
	is_int(nodes_lookup(&n, NODES_TOP, "rootfs.erofs", NULL, &item), 0, "looked up");
	ok(!item.is_provisional && !item.is_live && item.node == node, "for good");
	is_int(nodes_measure(&n, find(&n, "config.json"), NULL, &item), 0,
	       "other files can be measured, too");
	stop(&n);
}

/* As layout=rootfs: the top is the merged root. */
static void check_rootfs(void)
{
	static const struct row top = {"",	0,	 0,	 -ENOENT, 4,
				       -EINVAL, -EISDIR, -ENXIO, NONE,	  0};
	char source[PATH_MAX + 8];
	struct nodes n;

	options.layout = LAYOUT_ROOTFS;
	snprintf(source, sizeof(source), "oci:%s", place);
	start(&n, source);
	check_row(&n, &top);
	ok(find(&n, "d/f") != 0, "and has the files");
	check_status(&n, "\"image\"");
	stop(&n);
	options.layout = LAYOUT_IMAGE;
}

static void check_names(void)
{
	static const struct row rows[] = {
		{"", 0, 0, -ENOENT, 3, -EINVAL, -EISDIR, -ENXIO, NONE, 0},
		{".peelfs", 0, 0, -ENOENT, 3, -EINVAL, -EISDIR, -ENXIO, NONE, 0},
		{".peelfs/status.json", 0, 0, -ENOTDIR, 3, -EINVAL, SOME, 0, NONE, 0},
		{"reg.example", 0, 0, -ENOENT, -EIO, -EINVAL, -EISDIR, -ENXIO, NONE, 0},
		{NULL, UINT64_C(0xfffff), LOST, LOST, LOST, LOST, LOST, LOST, NONE, 0},
	};
	struct err e = {""};
	struct nodes n;
	size_t i;

	start(&n, NULL);
	if (!is_int(namespace_new("/", &images, &snapshots, &n.namespace, &e), 0,
		    "a namespace %s", e.text))
		exit(1);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_row(&n, &rows[i]);
	check_status(&n, "\"namespace\"");
	stop(&n);
}

int main(void)
{
	make_image();
	check_image();
	check_erofs();
	check_rootfs();
	check_names();
	return test_done();
}
