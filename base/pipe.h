/* SPDX-License-Identifier: MIT */
/*
 * Passes bytes from one thread to another in a ring of a few large chunks: the writer
 * waits when all are full, the reader when all are empty.
 */
#ifndef BASE_PIPE_H
#define BASE_PIPE_H

#include <stddef.h>
#include <sys/types.h>

struct pipe;

int pipe_new(size_t chunk, unsigned n_chunks, struct pipe **out);
/* Both sides must have ended. NULL is fine. */
void pipe_free(struct pipe *p);

/* Writer: appends a copy. 0, or the @rc of pipe_stop(). */
int pipe_write(struct pipe *p, const void *data, size_t len);
/*
 * Writer: lends memory, at least one byte, to be filled; pipe_fill() says how much of it was.
 * The writer may read it until the next call of either. 0, or the @rc of pipe_stop().
 */
int pipe_room(struct pipe *p, void **room, size_t *len);
void pipe_fill(struct pipe *p, size_t len);
/* Writer: the end of the data; @rc is 0, or a negative errno for the reader. */
void pipe_end(struct pipe *p, int rc);

/* Reader: lends the next chunk until the next call. Its length, 0 at the end, or -errno. */
ssize_t pipe_next(struct pipe *p, const void **data);
/* Reader: stops reading; the writer gets @rc, a negative errno. */
void pipe_stop(struct pipe *p, int rc);

#endif
