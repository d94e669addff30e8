/* SPDX-License-Identifier: MIT */
#include "fs/fuse/request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <fuse_lowlevel.h>

#include "fs/fuse/served.h"
#include "fs/node/nodes.h"

static void on_interrupt(fuse_req_t req, void *arg)
{
	(void)req;
	waiter_cancel(arg);
}

static void watch(struct waiter *w, bool on)
{
	fuse_req_interrupt_func(w->arg, on ? on_interrupt : NULL, on ? w : NULL);
}

static void request_free(struct request *r)
{
	free((char *)r->name);
	free(r);
}

/*
 * Before its work begins, the request need not begin it. A reply is possible here, because
 * libfuse keeps @req until this returns, but not from fuse_req_interrupt_func(), which calls
 * this, too: then the request is not in the queue yet.
 */
static void on_early_interrupt(fuse_req_t req, void *arg)
{
	struct request *r = arg;

	if (!deferred_cancel(&r->served->deferred, &r->deferred))
		return;
	fuse_reply_err(req, EINTR);
	request_free(r);
}

static void run_deferred(struct deferred *d)
{
	struct request *r = (struct request *)d;

	fuse_req_interrupt_func(r->req, NULL, NULL);
	r->work(r);
	request_free(r);
}

static void defer(const struct request *from)
{
	struct request *r = malloc(sizeof(*r));
	int rc = -ENOMEM;

	if (r) {
		*r = *from;
		r->deferred.work = run_deferred;
		r->waiter.is_impatient = false;
		r->name = from->name ? strdup(from->name) : NULL;
		if (r->name || !from->name) {
			fuse_req_interrupt_func(r->req, on_early_interrupt, r);
			rc = deferred_add(&r->served->deferred, &r->deferred);
		}
	}
	if (rc == 0)
		return;
	fuse_req_interrupt_func(from->req, NULL, NULL);
	fuse_reply_err(from->req, -rc);
	if (r)
		request_free(r);
}

void request_serve(struct request *r, enum mount_op op)
{
	r->served = fuse_req_userdata(r->req);
	r->waiter = (struct waiter){
		.all = &r->served->nodes->context->waiters,
		.watch = watch,
		.arg = r->req,
		.is_impatient = true,
	};
	context_count(r->served->nodes->context, op);
	if (r->work(r) < 0)
		defer(r);
}

int request_fail(const struct request *r, ssize_t code)
{
	if (code == -EINTR && r->waiter.is_impatient)
		return -EINTR;
	/* A wait that the mount has ended: many programs repeat a call after EINTR. */
	if (code == -EINTR && r->waiter.is_given_up)
		code = -EIO;
	fuse_reply_err(r->req, (int)-code);
	return 0;
}
