/* SPDX-License-Identifier: MIT */
#include "tar/first_pass.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/pipe.h"
#include "base/source.h"
#include "base/store/room.h"
#include "base/store/slot.h"
#include "tar/archive/reader.h"
#include "tar/codec/decoder.h"
#include "tar/index/index.h"
#include "tar/index/tree.h"
#include "tar/resumed.h"
#include "tar/side_hash.h"

#define CHUNK	 (256 * 1024)
#define N_CHUNKS 4
#define PAGE	 4096

/* The consumer of decoded bytes. */
struct sink {
	struct first_pass *pass;
	struct pipe *pipe;
	struct tree *tree;
	struct reader *reader;
	struct side_hash *diff_id; /* of all bytes; NULL: nobody asked for it */
	struct hasher *hasher;	   /* of the current file */
	uint32_t file;		   /* its number in the tree, or TREE_NO_FILE */
	uint64_t left;		   /* bytes of it still to come */
	bool is_full;		   /* the store takes no more */
	int rc;
	struct err err;
};

/* Storing the decoded bytes */

static bool is_zero(const char *page, size_t len)
{
	return page[0] == 0 && memcmp(page, page + 1, len - 1) == 0;
}

static void sink_write(struct sink *s, const char *data, size_t len, uint64_t off)
{
	/* What cannot be stored is fetched again when it is read. */
	if (len > 0 && !s->is_full)
		s->is_full = !store_keep(s->pass->store, s->pass->data_fd, data, len,
					 off);
}

/*
 * Pages of zeros are left as holes: padding, sparse files that were not archived as such,
 * and archives made to fill a disk.
 */
static void sink_store(struct sink *s, const char *data, size_t len, uint64_t off)
{
	size_t at = 0, run = 0; /* [run, at) is still to be written */

	while (at < len && !s->is_full) {
		size_t n = PAGE - (off + at) % PAGE;

		if (n > len - at)
			n = len - at;
		if (n == PAGE && is_zero(data + at, n)) {
			sink_write(s, data + run, at - run, off + run);
			run = at + n;
		}
		at += n;
	}
	sink_write(s, data + run, at - run, off + run);
	if (!s->is_full)
		s->pass->stored = off + len;
}

/* The archive's entries */

static void sink_end_file(struct sink *s)
{
	struct digest d;

	if (s->file == TREE_NO_FILE)
		return;
	hasher_finish(s->hasher, &d);
	tree_set_digest(s->tree, s->file, d.bytes);
	s->file = TREE_NO_FILE;
}

static int sink_on_entry(void *arg, const struct tar_entry *entry)
{
	struct sink *s = arg;
	int rc = tree_add(s->tree, entry, &s->file, &s->err);

	if (rc < 0)
		return rc;
	/*
	 * The holes of a sparse file would have to be hashed, too, and they can have any
	 * length. An empty file has no digest.
	 */
	if (entry->is_sparse || entry->size == 0)
		s->file = TREE_NO_FILE;
	s->left = entry->stored;
	return 0;
}

static int sink_on_content(void *arg, const void *data, size_t len)
{
	struct sink *s = arg;

	if (s->file == TREE_NO_FILE)
		return 0;
	hasher_update(s->hasher, data, len);
	s->left -= len;
	if (s->left == 0)
		sink_end_file(s);
	return 0;
}

static int sink_take(struct sink *s, const void *data, size_t len, uint64_t off)
{
	int rc;

	if (s->diff_id)
		side_hash_write(s->diff_id, data, len);
	if (s->pass->data_fd >= 0)
		sink_store(s, data, len, off);
	rc = reader_feed(s->reader, data, len, &s->err);
	store_note_work(s->pass->store);
	__atomic_store_n(&s->pass->decoded, off + len, __ATOMIC_RELAXED);
	__atomic_store_n(&s->pass->entries, tree_count(s->tree), __ATOMIC_RELAXED);
	return rc;
}

static void *sink_main(void *arg)
{
	struct sink *s = arg;
	const void *data = NULL;
	uint64_t off = 0;
	ssize_t n;
	int rc = 0;

	while (rc == 0 && (n = pipe_next(s->pipe, &data)) != 0) {
		rc = n < 0 ? (int)n : sink_take(s, data, (size_t)n, off);
		off += n > 0 ? (size_t)n : 0;
	}
	if (rc == 0)
		rc = reader_finish(s->reader, &s->err);
	if (rc < 0)
		pipe_stop(s->pipe, rc);
	s->rc = rc;
	return NULL;
}

static int sink_init(struct sink *s, struct first_pass *p)
{
	static const struct reader_ops ops = {.entry = sink_on_entry,
					      .content = sink_on_content};
	int rc;

	memset(s, 0, sizeof(*s));
	s->pass = p;
	s->file = TREE_NO_FILE;
	/* An earlier pass may have left other bytes where this one has holes. */
	if (p->data_fd >= 0 && ftruncate(p->data_fd, 0) < 0)
		return -errno;
	rc = pipe_new(CHUNK, N_CHUNKS, &s->pipe);
	if (rc == 0)
		rc = tree_new(p->index_fd, &s->tree);
	if (rc == 0)
		rc = reader_new(&ops, s, &s->reader);
	if (rc == 0)
		rc = hasher_new(DIGEST_SHA256, &s->hasher);
	if (rc == 0 && p->wants_diff_id)
		rc = side_hash_new(DIGEST_SHA256, NULL, NULL, &s->diff_id);
	return rc;
}

static void sink_release(struct sink *s)
{
	side_hash_free(s->diff_id);
	hasher_free(s->hasher);
	reader_free(s->reader);
	tree_free(s->tree);
	pipe_free(s->pipe);
}

/* The producer of decoded bytes */

/*
 * Adds spans while the other thread adds entries to the same tree, which tree.h allows.
 */
static int sink_on_span(void *arg, const struct span *sp)
{
	return tree_add_span(((struct sink *)arg)->tree, sp);
}

static int sink_on_room(void *arg, void **room, size_t *len)
{
	return pipe_room(((struct sink *)arg)->pipe, room, len);
}

static int sink_on_output(void *arg, size_t len)
{
	pipe_fill(((struct sink *)arg)->pipe, len);
	return 0;
}

/* The store's copy of the blob is made by the thread that hashes it. */
static void keep_blob(void *arg, const void *data, size_t len, uint64_t off)
{
	struct first_pass *p = arg;

	store_keep_partial(p->store, p->partial, data, len, off);
}

static int check_blob(struct first_pass *p, struct side_hash *hash, struct err *e)
{
	char want[DIGEST_TEXT_MAX], have[DIGEST_TEXT_MAX];
	struct digest d;

	if (p->done != p->blob->size)
		return err_set(
			e, -EBADMSG, "%llu bytes long, where the manifest says %llu",
			(unsigned long long)p->done, (unsigned long long)p->blob->size);
	side_hash_finish(hash, &d);
	p->is_proven = digest_equal(&d, p->digest);
	if (p->is_proven)
		return 0;
	return err_set(e, -EBADMSG, "its bytes have the digest %s, not %s",
		       digest_format(&d, have), digest_format(p->digest, want));
}

/*
 * When decoding fails the rest of the blob is still hashed. A wrong digest is the better
 * reason: it is the fault of the transfer, not of the image. But not if bytes were kept,
 * because the blob must be streamed again from its start then.
 */
static int decode_blob(struct first_pass *p, struct side_hash *hash,
		       struct decoder *decoder, struct stream *stream, struct err *e)
{
	const void *data = NULL;
	struct err blob_err = {""};
	int rc = 0, blob_rc;
	ssize_t n;

	while ((n = stream_next(stream, &data, e)) > 0) {
		if (p->cancelled && __atomic_load_n(p->cancelled, __ATOMIC_RELAXED))
			return err_set(e, -EINTR, "interrupted");
		store_note_work(p->store);
		side_hash_write(hash, data, (size_t)n);
		if (rc == 0)
			rc = decoder_feed(decoder, data, (size_t)n, e);
		__atomic_store_n(&p->done, p->done + (uint64_t)n, __ATOMIC_RELAXED);
		if (rc < 0 && (rc != -EBADMSG || p->kept > 0))
			return rc;
	}
	if (n < 0)
		return (int)n;
	if (rc == 0)
		rc = decoder_finish(decoder, e);
	blob_rc = check_blob(p, hash, &blob_err);
	if (blob_rc < 0)
		*e = blob_err;
	return blob_rc < 0 ? blob_rc : rc;
}

static int first_pass_decode(struct first_pass *p, struct sink *s, struct side_hash *hash,
			     struct decoder *decoder, struct stream *stream,
			     struct err *e)
{
	struct err err = {""};
	pthread_t thread;
	int rc = -pthread_create(&thread, NULL, sink_main, s);

	if (rc < 0)
		return err_set(e, rc, "cannot start a thread: %s", strerror(-rc));
	rc = decode_blob(p, hash, decoder, stream, &err);
	pipe_end(s->pipe, rc);
	pthread_join(thread, NULL);
	if (rc == 0)
		rc = s->rc;
	if (!err.text[0]) /* an error code of a callback has no sentence */
		err = s->err;
	if (rc < 0 && e)
		*e = err;
	return rc;
}

static int first_pass_finish(struct first_pass *p, struct sink *s,
			     struct decoder *decoder, struct err *e)
{
	struct index_info info = {
		.blob = *p->digest,
		.blob_size = p->blob->size,
		.decoded_size = p->decoded,
		.compression = decoder_compression(decoder),
	};

	/* A layer ends in zeros, which were not written. They must be readable. */
	if (p->data_fd >= 0 && ftruncate(p->data_fd, (off_t)p->decoded) < 0)
		p->stored = 0;
	store_note_work(p->store);
	if (s->diff_id)
		side_hash_finish(s->diff_id, &p->diff_id);
	return tree_finish(s->tree, &info, e);
}

int first_pass_run(struct first_pass *p, struct err *e)
{
	static const struct decoder_ops ops = {
		.room = sink_on_room,
		.output = sink_on_output,
		.span = sink_on_span,
	};
	struct decoder *decoder = NULL;
	struct side_hash *hash = NULL;
	struct stream *stream = NULL;
	struct sink sink;
	int rc;

	__atomic_store_n(&p->done, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&p->kept, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&p->decoded, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&p->entries, 0, __ATOMIC_RELAXED);
	p->stored = 0;
	p->is_proven = false;
	p->diff_id.alg = DIGEST_NONE;
	rc = sink_init(&sink, p);
	if (rc == 0)
		rc = side_hash_new(p->digest->alg, keep_blob, p, &hash);
	if (rc == 0)
		rc = decoder_new(&ops, &sink, &decoder);
	if (rc == 0)
		rc = resumed_stream(p->blob, p->partial, &p->kept, &stream, e);
	if (rc == 0)
		rc = first_pass_decode(p, &sink, hash, decoder, stream, e);
	if (rc == 0)
		rc = first_pass_finish(p, &sink, decoder, e);
	stream_close(stream);
	decoder_free(decoder);
	side_hash_free(hash);
	sink_release(&sink);
	return rc;
}
