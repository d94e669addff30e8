/* SPDX-License-Identifier: MIT */
/*
 * A layer's entries are numbered directory by directory, each by name, which is how they
 * are listed; so who walks a tree reads them nearly in the order of their numbers. A read
 * shortly behind the last one doubles the window; one elsewhere halves it: at the end of
 * a directory it is, but the walk goes on. Somebody who reads here and there has none.
 *
 * The kernel refuses a file that it has not heard of. So one that is hidden by an upper
 * layer, or in a directory that is not listed yet, ends a run.
 *
 * To push is to wait for the file's pages, should they be locked by a read of it that
 * another thread is to answer. No signal ends that wait: where nobody is left to answer, it
 * is for ever. So who reads gets the answer after what follows was pushed: one reader alone
 * is never waited for. There is one pusher at a time, so two cannot wait for each other;
 * and pushing ends before answering does. A kill -9 can still hit the moment if
 * several read the same files at one time; then umount -f helps.
 */
#include "fs/fuse/push.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <fuse_lowlevel.h>

#include "fs/image/context.h"
#include "fs/node/nodes.h"
#include "fs/tree/node.h"

/* Larger ones the kernel reads in large pieces: there is little to save. */
#define FILE_MAX (64u * 1024)
/* Files; what is pushed in vain is at most twice this. */
#define WINDOW_MAX 64
#define WINDOW_MIN 4
/* So near behind what was pushed is the next. */
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

/* What was at hand a moment ago may be gone: then that wait ends with the mount. */
static void nobody(struct waiter *w, bool on)
{
	(void)w;
	(void)on;
}

static struct waiter waiter_of(struct pusher *p)
{
	return (struct waiter){.all = &p->nodes->context->waiters, .watch = nobody};
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
