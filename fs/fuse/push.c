/* SPDX-License-Identifier: MIT */
/*
 * The entries of a layer are numbered directory by directory, each sorted by name, which is
 * how they are listed; so a program that walks a tree reads files nearly in the order of
 * their numbers. A read shortly behind the last one doubles the window; a read elsewhere
 * halves it, because the walk goes on after the end of a directory. Random readers have no
 * window.
 *
 * The kernel refuses a file that it does not know yet. So a file that is hidden by an upper
 * layer, or in a directory that is not listed yet, ends a run.
 *
 * Pushing waits for pages of the file that another read has locked, until that read has its
 * answer. No signal ends that wait, and it has no end if no thread is left to answer. So:
 *   - A read is answered after the files behind it were pushed. A single reader cannot be in
 *     one of them.
 *   - Only stored files are pushed, so the read that has locked a page need not wait for the
 *     network (deferred.h).
 *   - One thread pushes at a time, so two do not wait for each other.
 *   - Pushing ends before answering does.
 * A kill -9 can still hit the moment when several processes read the same files; then
 * umount -f helps.
 */
#include "fs/fuse/push.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <fuse_lowlevel.h>

#include "fs/image/context.h"
#include "fs/node/nodes.h"
#include "fs/tree/node.h"

/* The kernel reads larger files in large requests: there is little to save. */
#define FILE_MAX (64u * 1024)
/* In files. At most twice as many are pushed in vain. */
#define WINDOW_MAX 64
#define WINDOW_MIN 4
/* A read so near behind the last pushed file continues the run. */
#define NEAR 8

void pusher_init(struct pusher *p, const struct nodes *n, struct fuse_session *session)
{
	memset(p, 0, sizeof(*p));
	p->nodes = n;
	p->session = session;
	pthread_mutex_init(&p->mutex, NULL);
}

void pusher_release(struct pusher *p)
{
	pthread_mutex_destroy(&p->mutex);
}

static bool is_closed(const struct pusher *p)
{
	return __atomic_load_n(&p->is_closed, __ATOMIC_SEQ_CST);
}

void pusher_close(struct pusher *p)
{
	__atomic_store_n(&p->is_closed, true, __ATOMIC_SEQ_CST);
	pthread_mutex_lock(&p->mutex);
	pthread_mutex_unlock(&p->mutex);
}

/* If the bytes were evicted meanwhile, the wait for them ends at the end of the mount. */
static void watch_nothing(struct waiter *w, bool on)
{
	(void)w;
	(void)on;
}

static struct waiter waiter_of(struct pusher *p)
{
	return (struct waiter){.all = &p->nodes->context->waiters,
			       .watch = watch_nothing};
}

static int push(struct pusher *p, uint64_t node, size_t size, char *buf)
{
	struct fuse_bufvec bytes = FUSE_BUFVEC_INIT(size);
	struct waiter w = waiter_of(p);
	ssize_t n = nodes_read(p->nodes, node, buf, size, 0, &w);

	if (n < 0 || (size_t)n != size)
		return -EIO;
	bytes.buf[0].mem = buf;
	return fuse_lowlevel_notify_store(p->session, node, 0, &bytes, 0);
}

/* The files behind the one that was read, up to the end of the window. */
static void push_window(struct pusher *p)
{
	struct node node = {.kind = NODE_FILE, .layer = p->layer};
	uint32_t end = p->entry + p->window;
	struct waiter w = waiter_of(p);
	char *buf = malloc(FILE_MAX);
	ssize_t size = 0;

	while (buf && p->end < end && !is_closed(p)) {
		node.entry = p->end + 1;
		size = nodes_stored_size(p->nodes, node_pack(&node), FILE_MAX, &w);
		if (size < 0 ||
		    (size > 0 && push(p, node_pack(&node), (size_t)size, buf) < 0))
			break;
		p->end++;
	}
	free(buf);
}

static void note(struct pusher *p, const struct node *node)
{
	if (node->layer == p->layer && node->entry > p->entry &&
	    node->entry <= (uint64_t)p->end + NEAR)
		p->window = p->window < WINDOW_MAX / 2 ? p->window * 2 : WINDOW_MAX;
	else
		p->window /= 2;
	if (p->window == 0)
		p->window = 1;
	p->layer = node->layer;
	p->entry = p->end = node->entry;
}

void pusher_on_read(struct pusher *p, uint64_t id)
{
	struct node node;

	node_unpack(id, &node);
	if (node.kind != NODE_FILE || pthread_mutex_trylock(&p->mutex) != 0)
		return;
	note(p, &node);
	if (p->window >= WINDOW_MIN && !is_closed(p))
		push_window(p);
	pthread_mutex_unlock(&p->mutex);
}
