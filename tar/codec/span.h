/* SPDX-License-Identifier: MIT */
/*
 * A span: what of a layer can be fetched and decoded on its own, about 1 MiB of
 * output. One model for every kind of layer:
 *
 *	plain tar	a block of bytes
 *	gzip		from a deflate block boundary to another, with the window before it
 *	zstd		whole frames; inside a long frame, a part of its output, for which
 *			the frame is decoded from its start
 *	eStargz, zstd:chunked	a chunk
 *
 * Spans of a layer ascend in `out` and cover its decoded bytes without a gap.
 * Compressed ranges may overlap: by the byte in which a deflate block ends and the
 * next begins, and wholly for the parts of one zstd frame.
 */
#ifndef TAR_CODEC_SPAN_H
#define TAR_CODEC_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct source;

enum span_kind {
	SPAN_PLAIN,
	SPAN_DEFLATE, /* raw deflate from bit `bits` of byte `in`; members may follow */
	SPAN_GZIP,    /* from the header of a gzip member; members may follow */
	SPAN_ZSTD,    /* from the header of a zstd frame; frames may follow */
};

/* The output that a new span is begun after. */
#define SPAN_TARGET (1u << 20)
/* No decoder makes a longer one: a deflate block may be as long as it likes. */
#define SPAN_OUT_MAX (1u << 30)

struct span {
	enum span_kind kind;
	/*
	 * SPAN_DEFLATE: the low `bits` bits (0-7) of the byte at `in` belong to the block
	 * before and are skipped.
	 */
	uint8_t bits;
	bool digest_is_of_output; /* else of the compressed bytes [in, in + in_len) */
	uint64_t in;		  /* compressed: the first byte needed */
	/* compressed: bytes needed, with the next span's first if shared */
	uint64_t in_len;
	uint64_t out;	  /* decoded: where it begins in the layer */
	uint64_t out_len; /* decoded: at most SPAN_OUT_MAX */
	/* decoded bytes between `in` and `out`: made and thrown away */
	uint64_t skip;
	/* packed by window_pack(); NULL when nothing before is referred to */
	const void *window;
	size_t window_len;
	uint8_t digest[32]; /* SHA-256 */
	bool has_crc;
	uint32_t crc; /* CRC-32 (IEEE) of the output, if has_crc */
};

/*
 * Fetches the span's compressed bytes from the layer's blob, checks them against
 * the digest, decodes, and checks the output. @out has out_len bytes and holds
 * nothing to rely on after a failure. -EBADMSG when anything does not match.
 */
int span_load(const struct span *sp, struct source *blob, void *out, struct err *e);

/*
 * Spans that begin at one byte of the blob and follow each other in `skip`: the parts of a
 * long zstd frame. They are made in one decoding, and each one's checked output is
 * lent to @give; what that returns below 0 ends it and is given back.
 */
typedef int span_give_fn(void *arg, size_t i, const void *out);
int span_load_parts(const struct span *spans, size_t n, struct source *blob,
		    span_give_fn *give, void *arg, struct err *e);

/*
 * Are these out_len bytes the span's output? By its checksum, or else its digest. A span
 * whose digest is of its input and that has no checksum says nothing of its output.
 */
bool span_can_check(const struct span *sp);
int span_check(const struct span *sp, const void *out);

/* Is this what span_load() can take? For spans that come from a file. */
bool span_is_sane(const struct span *sp, uint64_t blob_size);

#endif
