/* SPDX-License-Identifier: MIT */
/*
 * The hinge: a size, and bytes read at an offset.
 *
 * A remote blob, a file, memory, a slice of another source: all are sources, so
 * a reader of a format is written, tested and fuzzed on memory and then works on
 * the network.
 *
 * A source may also be read as a stream, from an offset to its end. For a remote
 * blob those are a few requests whose bytes are handed over as they come; any other
 * source is streamed by its pread.
 *
 * Sources are counted: source_ref() for another owner, source_unref() when done.
 */
#ifndef BASE_SOURCE_H
#define BASE_SOURCE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct source;
struct stream;

struct source_ops {
	/* As source_pread(), @len > 0 and inside the source. */
	ssize_t (*pread)(struct source *s, void *buf, size_t len, uint64_t off,
			 struct err *e);
	/* Optional: see source_stream(). */
	int (*stream)(struct source *s, uint64_t off, struct stream **out, struct err *e);
	/* Called once, when the last reference goes. Frees @s. */
	void (*release)(struct source *s);
};

/* The head of every source; embed it and set it up with source_init(). */
struct source {
	const struct source_ops *ops;
	uint64_t size;
	unsigned refs; /* atomic */
};

/* One reference, which is the caller's. */
void source_init(struct source *s, const struct source_ops *ops, uint64_t size);
struct source *source_ref(struct source *s);
/* NULL is fine. */
void source_unref(struct source *s);

/*
 * Reads up to @len bytes at @off. Never more than @len; fewer means end of data.
 * Negative errno else, with a sentence in @e if there is one. Any thread.
 */
ssize_t source_pread(struct source *s, void *buf, size_t len, uint64_t off,
		     struct err *e);

/* The same, where fewer bytes than @len are an error (-EBADMSG). 0 or negative errno. */
int source_read_all(struct source *s, void *buf, size_t len, uint64_t off, struct err *e);

/* @data is borrowed for the life of the source. */
int source_memory(const void *data, size_t size, struct source **out);
/* Takes @fd: it is closed with the source, and by a failure too. */
int source_file(int fd, struct source **out, struct err *e);
/* The part [off, off + len) of @base, which is referenced, not taken. -EINVAL outside. */
int source_slice(struct source *base, uint64_t off, uint64_t len, struct source **out);

/*
 * A stream: bytes in order, lent chunk by chunk. One reader, one thread at a time.
 */
struct stream_ops {
	ssize_t (*next)(struct stream *st, const void **data, struct err *e);
	void (*close)(struct stream *st);
};

struct stream {
	const struct stream_ops *ops;
};

/* From @off to the end. The stream holds a reference of its own. */
int source_stream(struct source *s, uint64_t off, struct stream **out, struct err *e);
/*
 * The next chunk: its length, 0 at the end, or negative errno, after which only
 * stream_close() may follow. *data is lent until the next call.
 */
ssize_t stream_next(struct stream *st, const void **data, struct err *e);
/* Ends a transfer that is still under way. NULL is fine. */
void stream_close(struct stream *st);

#endif
