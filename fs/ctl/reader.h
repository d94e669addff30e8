/* SPDX-License-Identifier: MIT */
/*
 * An image that a command reads without a mount: this process serves the tree of a mount
 * (fs/node/nodes.h) to itself, with the same options, store and checks.
 *
 *	reader_run()		the words of the command
 *	reader_open()		the image is resolved
 *	reader_rootfs()		where paths begin
 *	reader_find()		a path
 *	nodes_...(r->nodes)	what is there; reader_why() says why not
 *	reader_close()
 *
 * Nothing has to be undone if the process is killed, so that Ctrl-C may just do that. Waits
 * are thus without a waiter. Any thread may read an open image.
 */
#ifndef FS_CTL_READER_H
#define FS_CTL_READER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "fs/image/item.h"
#include "fs/node/mount.h"
#include "fs/options/log.h"
#include "fs/options/options.h"

struct buf;
struct word_flag;
struct words;

/* A good length of one read: a span is about as long. */
#define READER_PART (1u << 20)
/* A ceiling for buffers of reader_xattr(), far above what tar/ lets into an index. */
#define READER_XATTR_MAX (16u << 20)

struct reader {
	struct options options;
	struct log log; /* warnings go to stderr; errors are left to the caller */
	struct mount mount;
	const struct nodes *nodes;
	bool is_open;
	pthread_mutex_t lock;
	struct err logged; /* under lock: the last error in the log */
};

/* As peelfs: no core dumps, and what would be a signal is an error. Before threads start. */
void reader_prepare(void);

/* A command that takes an image and perhaps more. */
struct reader_command {
	const char *name;
	const char *expected; /* "an image", if there are too few operands, or too many */
	size_t least, most;   /* operands */
	/* Returns the exit status. */
	int (*work)(const struct words *w, void *arg);
};

/*
 * Calls reader_prepare(), parses the words of a command with @flags (words.h; NULL: none),
 * and calls c->work with @arg. Returns the exit status; what is wrong was printed.
 */
int reader_run(const struct reader_command *c, char **words,
	       const struct word_flag *flags, void *arg);

/*
 * Opens the image @source with the options of @w; both must outlive the reader. A negative
 * errno and a sentence. Call reader_close() in any case.
 */
int reader_open(struct reader *r, const struct words *w, const char *source,
		struct err *e);
void reader_close(struct reader *r);
/*
 * The same in two steps: r->options may be changed between them. What reader_options() got
 * must outlive the reader.
 */
int reader_options(struct reader *r, const struct words *w, const char *source,
		   struct err *e);
int reader_start(struct reader *r, struct err *e);

/*
 * Tops of trees: the merged root file system, and layer @number from 1, as it is. What they
 * need is loaded, so a broken layer shows here. A negative errno and a sentence.
 */
int reader_rootfs(struct reader *r, uint64_t *top, struct err *e);
int reader_layer(struct reader *r, uint32_t number, uint64_t *top, struct err *e);
/* The one that --layer names: @layer is its value; NULL: the root file system. As above. */
int reader_top(struct reader *r, const char *layer, uint64_t *top, struct err *e);
/* A file beside rootfs/, such as "inspect.json". As above. */
int reader_document(struct reader *r, const char *name, struct item *out, struct err *e);

/*
 * Finds @path below the directory @top as chroot(2) to it would: absolute or not, links in
 * it are followed and never leave the tree. @follow: a link at its end is, too. @out->node
 * is the node. 0, or an errno for reader_why().
 */
int reader_find(struct reader *r, uint64_t top, const char *path, bool follow,
		struct item *out);

/*
 * Why a call of nodes.h or reader_find() failed with @code: a phrase to stand behind the
 * path. For the errnos of the network and of damage it is the newest failure that the mount
 * has noted. Returns @e->text.
 */
const char *reader_why(struct reader *r, int code, struct err *e);

/* Reads exactly @len bytes of a regular file into @out. 0, or an errno for reader_why(). */
int reader_part(struct reader *r, uint64_t node, uint64_t off, void *out, size_t len);
/*
 * Reads an xattr into @out, or with @name NULL the names, each with its NUL. The length, or
 * an errno for reader_why().
 */
ssize_t reader_xattr(struct reader *r, uint64_t node, const char *name, struct buf *out);
/* Writes the bytes of a regular file to stdout. 0, or an errno for reader_why(). */
int reader_print(struct reader *r, const struct item *file);

#endif
