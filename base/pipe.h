/* SPDX-License-Identifier: MIT */
/*
 * Bytes from one thread to another, in a ring of a few large chunks: the writer
 * waits when all are full, the reader when all are empty.
 */
#ifndef BASE_PIPE_H
#define BASE_PIPE_H

#include <stddef.h>
#include <sys/types.h>

struct pipe;

int pipe_new(size_t chunk, unsigned n_chunks, struct pipe **out);
/* Both sides must have stopped. NULL is fine. */
void pipe_free(struct pipe *p);

/* Writer: 0, or what the reader ended with. */
int pipe_write(struct pipe *p, const void *data, size_t len);
/*
 * Writer: memory to write to, at least a byte, until pipe_fill() says how much of it is
 * there now. It can still be read until the next call of either. 0, or what the reader
 * ended with.
 */
int pipe_room(struct pipe *p, void **room, size_t *len);
void pipe_fill(struct pipe *p, size_t len);
/* Writer: no more comes; @rc is 0, or the negative errno that the reader gets then. */
void pipe_end(struct pipe *p, int rc);

/* Reader: the next chunk, lent until the next call; its length, 0 at the end, or -errno. */
ssize_t pipe_next(struct pipe *p, const void **data);
/* Reader: wants no more; the writer gets @rc, a negative errno. */
void pipe_stop(struct pipe *p, int rc);

#endif
