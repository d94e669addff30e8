/* SPDX-License-Identifier: MIT */
/*
 * The two threads share only a pipe. Its content is a sequence of parts. Each has a head
 * that tells its kind. All kinds but the last are bytes, which go to one of the span's
 * buffers or to its hasher as they arrive.
 */
#include "tar/codec/sealer.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/pipe.h"
#include "tar/codec/span.h"
#include "tar/codec/window.h"

#define CHUNK	 (128 * 1024)
#define N_CHUNKS 4
/*
 * Compressed bytes kept to decode the first output again. Normal blocks never have twice
 * as many. Empty blocks may; then the window is not stripped.
 */
#define START_MAX (2 * INFLATE_WINDOW)

#define SEALER_END (SEALER_HEAD + 1) /* followed by the struct span */

struct part {
	unsigned kind;
	uint32_t len; /* of what follows */
};

struct sealer {
	int (*give)(void *arg, const struct span *sp);
	void *arg;
	struct pipe *pipe;
	pthread_t thread;
	bool is_running;
	int rc; /* result of the thread; read after it has ended */

	/* Used by the thread alone. */
	struct hasher *hasher;
	struct inflate *probe;
	const uint8_t *chunk; /* borrowed from the pipe */
	size_t chunk_len;
	struct window window;
	size_t start_len, head_len;
	uint8_t start[START_MAX];
	uint8_t head[INFLATE_WINDOW];
	uint8_t packed[WINDOW_PACKED_MAX];
};

/* The thread */

/*
 * Returns at most @max contiguous bytes: their number, 0 at the end, or a negative errno.
 */
static ssize_t sealer_next(struct sealer *s, size_t max, const uint8_t **data)
{
	const void *lent;
	ssize_t n;

	if (s->chunk_len == 0) {
		n = pipe_next(s->pipe, &lent);
		if (n <= 0)
			return n;
		s->chunk = lent;
		s->chunk_len = (size_t)n;
	}
	if (max > s->chunk_len)
		max = s->chunk_len;
	*data = s->chunk;
	s->chunk += max;
	s->chunk_len -= max;
	return (ssize_t)max;
}

/* 1, 0 at the end, or negative errno. */
static int sealer_next_exactly(struct sealer *s, void *to, size_t len)
{
	size_t done = 0;

	while (done < len) {
		const uint8_t *data = NULL;
		ssize_t n = sealer_next(s, len - done, &data);

		if (n <= 0)
			return (int)n;
		memcpy((uint8_t *)to + done, data, (size_t)n);
		done += (size_t)n;
	}
	return 1;
}

static void copy_part(uint8_t *to, size_t *len, size_t max, const uint8_t *data, size_t n)
{
	if (n > max - *len)
		n = max - *len;
	memcpy(to + *len, data, n);
	*len += n;
}

static void sealer_take(struct sealer *s, unsigned kind, const uint8_t *data, size_t n)
{
	if (kind == SEALER_INPUT) {
		hasher_update(s->hasher, data, n);
		copy_part(s->start, &s->start_len, START_MAX, data, n);
	} else if (kind == SEALER_WINDOW) {
		copy_part(s->window.bytes, &s->window.len, INFLATE_WINDOW, data, n);
	} else {
		copy_part(s->head, &s->head_len, INFLATE_WINDOW, data, n);
	}
}

static int sealer_seal(struct sealer *s, struct span *sp)
{
	struct digest digest;
	int rc = 0;

	if (s->window.len > 0)
		rc = window_strip(&s->window, s->probe, s->start, s->start_len, sp->bits,
				  s->head, s->head_len);
	if (rc == -ENOMEM)
		return rc;
	rc = window_pack(&s->window, s->packed, &sp->window_len);
	if (rc < 0)
		return rc;
	sp->window = sp->window_len > 0 ? s->packed : NULL;
	hasher_finish(s->hasher, &digest);
	memcpy(sp->digest, digest.bytes, sizeof(sp->digest));
	s->window.len = s->start_len = s->head_len = 0;
	return s->give(s->arg, sp);
}

static int sealer_take_part(struct sealer *s, const struct part *part)
{
	size_t left = part->len;
	struct span sp;
	int rc;

	if (part->kind == SEALER_END) {
		rc = sealer_next_exactly(s, &sp, sizeof(sp));
		if (rc > 0)
			rc = sealer_seal(s, &sp);
		return rc;
	}
	while (left > 0) {
		const uint8_t *data = NULL;
		ssize_t n = sealer_next(s, left, &data);

		if (n <= 0)
			return (int)n;
		sealer_take(s, part->kind, data, (size_t)n);
		left -= (size_t)n;
	}
	return 0;
}

static void *sealer_main(void *arg)
{
	struct sealer *s = arg;
	struct part part;
	int rc;

	do {
		rc = sealer_next_exactly(s, &part, sizeof(part));
		if (rc <= 0)
			break;
		rc = sealer_take_part(s, &part);
	} while (rc == 0);
	if (rc < 0)
		pipe_stop(s->pipe, rc);
	s->rc = rc;
	return NULL;
}

/* The owner */

int sealer_new(int (*give)(void *arg, const struct span *sp), void *arg,
	       enum inflate_choice engine, struct sealer **out)
{
	struct sealer *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return -ENOMEM;
	s->give = give;
	s->arg = arg;
	rc = pipe_new(CHUNK, N_CHUNKS, &s->pipe);
	if (rc == 0)
		rc = hasher_new(DIGEST_SHA256, &s->hasher);
	if (rc == 0)
		rc = inflate_new(engine, &s->probe);
	if (rc == 0)
		rc = -pthread_create(&s->thread, NULL, sealer_main, s);
	if (rc < 0) {
		sealer_free(s);
		return rc;
	}
	s->is_running = true;
	*out = s;
	return 0;
}

static void sealer_stop(struct sealer *s, int rc)
{
	if (!s->is_running)
		return;
	pipe_end(s->pipe, rc);
	pthread_join(s->thread, NULL);
	s->is_running = false;
}

void sealer_free(struct sealer *s)
{
	if (!s)
		return;
	sealer_stop(s, -ECANCELED);
	inflate_free(s->probe);
	hasher_free(s->hasher);
	pipe_free(s->pipe);
	free(s);
}

static int put_part(struct sealer *s, unsigned kind, const void *data, size_t len)
{
	const struct part part = {kind, (uint32_t)len};
	int rc = pipe_write(s->pipe, &part, sizeof(part));

	return rc < 0 ? rc : pipe_write(s->pipe, data, len);
}

int sealer_put(struct sealer *s, enum sealer_part part, const void *data, size_t len)
{
	return put_part(s, part, data, len);
}

int sealer_end(struct sealer *s, const struct span *sp)
{
	return put_part(s, SEALER_END, sp, sizeof(*sp));
}

int sealer_finish(struct sealer *s)
{
	sealer_stop(s, 0);
	return s->rc;
}
