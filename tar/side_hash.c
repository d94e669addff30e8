/* SPDX-License-Identifier: MIT */
#include "tar/side_hash.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/types.h>

#include "base/pipe.h"

#define CHUNK	 (256 * 1024)
#define N_CHUNKS 4

struct side_hash {
	struct pipe *pipe;
	struct hasher *hasher;
	side_hash_also *also;
	void *arg;
	pthread_t thread;
	bool is_running;
};

static void *side_hash_main(void *arg)
{
	struct side_hash *h = arg;
	const void *data = NULL;
	uint64_t off = 0;
	ssize_t n;

	while ((n = pipe_next(h->pipe, &data)) > 0) {
		if (h->also)
			h->also(h->arg, data, (size_t)n, off);
		hasher_update(h->hasher, data, (size_t)n);
		off += (size_t)n;
	}
	return NULL;
}

int side_hash_new(enum digest_alg alg, side_hash_also *also, void *arg,
		  struct side_hash **out)
{
	struct side_hash *h = calloc(1, sizeof(*h));
	int rc = h ? pipe_new(CHUNK, N_CHUNKS, &h->pipe) : -ENOMEM;

	if (rc == 0) {
		h->also = also;
		h->arg = arg;
		rc = hasher_new(alg, &h->hasher);
	}
	if (rc == 0)
		rc = -pthread_create(&h->thread, NULL, side_hash_main, h);
	if (rc < 0) {
		side_hash_free(h);
		return rc;
	}
	h->is_running = true;
	*out = h;
	return 0;
}

void side_hash_write(struct side_hash *h, const void *data, size_t len)
{
	(void)pipe_write(h->pipe, data, len); /* its reader never stops early */
}

static void side_hash_join(struct side_hash *h)
{
	if (!h->is_running)
		return;
	pipe_end(h->pipe, 0);
	pthread_join(h->thread, NULL);
	h->is_running = false;
}

void side_hash_finish(struct side_hash *h, struct digest *out)
{
	side_hash_join(h);
	hasher_finish(h->hasher, out);
}

void side_hash_free(struct side_hash *h)
{
	if (!h)
		return;
	side_hash_join(h);
	hasher_free(h->hasher);
	pipe_free(h->pipe);
	free(h);
}
