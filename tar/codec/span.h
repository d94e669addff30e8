/* SPDX-License-Identifier: MIT */
/*
 * A span is a part of a layer that can be fetched and decoded on its own, about 1 MiB of
 * output. The model is the same for every kind of layer:
 *
 *	plain tar	a block of bytes
 *	gzip		from one deflate block boundary to another, with the window before it
 *	zstd		whole frames; inside a long frame, a part of its output, for which
 *			the frame is decoded from its start
 *	eStargz, zstd:chunked	a chunk
 *
 * The spans of a layer ascend in `out` and cover its decoded bytes without a gap.
 * Compressed ranges may overlap: by the byte in which one deflate block ends and the next
 * begins, and completely for the parts of one zstd frame.
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

/* A cutter ends a span after this much output. */
#define SPAN_TARGET (1u << 20)
/* The longest span that a decoder makes. The length of a deflate block has no limit. */
#define SPAN_OUT_MAX (1u << 30)

struct span {
	enum span_kind kind;
	/*
	 * SPAN_DEFLATE: the low `bits` bits (0 to 7) of the byte at `in` belong to the
	 * block before and are skipped.
	 */
	uint8_t bits;
	bool digest_is_of_output; /* else of the compressed bytes [in, in + in_len) */
	uint64_t in;		  /* compressed: the first byte needed */
	/* compressed: bytes needed, including a byte shared with the next span */
	uint64_t in_len;
	uint64_t out;	  /* decoded: offset in the layer */
	uint64_t out_len; /* decoded: at most SPAN_OUT_MAX */
	/* decoded bytes between `in` and `out`, which are decoded and discarded */
	uint64_t skip;
	/* packed by window_pack(); NULL if the span refers to nothing before it */
	const void *window;
	size_t window_len;
	uint8_t digest[32]; /* SHA-256 */
	bool has_crc;
	uint32_t crc; /* CRC-32 (IEEE) of the output, if has_crc */
};

/*
 * Fetches the span's compressed bytes from the layer's blob, verifies them against the
 * digest, decodes them and verifies the output. @out has out_len bytes; their contents
 * are undefined after a failure. -EBADMSG if anything does not match.
 */
int span_load(const struct span *sp, struct source *blob, void *out, struct err *e);

/*
 * Loads spans that begin at the same byte of the blob and ascend in `skip`: the parts of
 * a long zstd frame. They are decoded in one go. @give is called with the verified output
 * of each, valid during the call. A negative errno from it ends the loading and is
 * returned.
 */
typedef int span_give_fn(void *arg, size_t i, const void *out);
int span_load_parts(const struct span *spans, size_t n, struct source *blob,
		    span_give_fn *give, void *arg, struct err *e);

/*
 * Are these out_len bytes the span's output? span_check() compares the checksum or, if
 * there is none, the digest. span_can_check() is false if the digest is of the input and
 * there is no checksum.
 */
bool span_can_check(const struct span *sp);
int span_check(const struct span *sp, const void *out);

/* Can span_load() take this span? For spans that come from a file. */
bool span_is_sane(const struct span *sp, uint64_t blob_size);

#endif
