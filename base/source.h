/* SPDX-License-Identifier: MIT */
/*
 * A source has a size, and bytes that can be read at any offset.
 *
 * A remote blob, a file, memory, and a slice of another source are sources. So the reader of
 * a format can be tested and fuzzed on memory and works on the network.
 *
 * A source can also be read as a stream, from an offset to its end. A remote blob makes a
 * few requests for it and passes their bytes on as they arrive; other sources are streamed
 * by their pread.
 *
 * Sources are reference-counted: source_ref() for another owner, source_unref() when done.
 */
#ifndef BASE_SOURCE_H
#define BASE_SOURCE_H

#include <stdbool.h>
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
	/* Called once, for the last reference. Frees @s. */
	void (*release)(struct source *s);
};

/* To be embedded in every source, and set up with source_init(). */
struct source {
	const struct source_ops *ops;
	uint64_t size;
	unsigned refs; /* atomic */
};

/* Sets one reference, the caller's. */
void source_init(struct source *s, const struct source_ops *ops, uint64_t size);
struct source *source_ref(struct source *s);
/* NULL is fine. */
void source_unref(struct source *s);

/*
 * Reads up to @len bytes at @off. Fewer bytes mean the end of the data. Or a negative errno,
 * perhaps with a sentence. Any thread.
 */
ssize_t source_pread(struct source *s, void *buf, size_t len, uint64_t off,
		     struct err *e);

/* The same, but fewer bytes than @len are an error (-EBADMSG). 0 or negative errno. */
int source_read_all(struct source *s, void *buf, size_t len, uint64_t off, struct err *e);

/* @data is borrowed for the life of the source. */
int source_memory(const void *data, size_t size, struct source **out);
/* Takes @fd, also on failure. */
int source_file(int fd, struct source **out, struct err *e);
/* [off, off + len) of @base, which gets another reference. -EINVAL if it is outside. */
int source_slice(struct source *base, uint64_t off, uint64_t len, struct source **out);

/* A stream lends bytes in order, in chunks. One thread at a time. */
struct stream_ops {
	ssize_t (*next)(struct stream *st, const void **data, struct err *e);
	void (*close)(struct stream *st);
};

struct stream {
	const struct stream_ops *ops;
};

/*
 * Whether a source has a stream of its own. Then its bytes come from a network, and are worth
 * keeping.
 */
bool source_is_remote(const struct source *s);
/* From @off to the end. The stream has its own reference to @s. */
int source_stream(struct source *s, uint64_t off, struct stream **out, struct err *e);
/*
 * The next chunk: its length, 0 at the end, or negative errno, after which only
 * stream_close() may follow. *data is lent until the next call.
 */
ssize_t stream_next(struct stream *st, const void **data, struct err *e);
/* Aborts a transfer that is still under way. NULL is fine. */
void stream_close(struct stream *st);

#endif
