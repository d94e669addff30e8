/* SPDX-License-Identifier: MIT */
/*
 * gzip (RFC 1952): consecutive members, decoded as one run of bytes. Zero bytes after the
 * last member are ignored. Anything else there is corrupt.
 */
#ifndef TAR_CODEC_GZIP_H
#define TAR_CODEC_GZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tar/codec/flow.h"
#include "tar/codec/inflate.h"

struct err;
struct gzip;

enum gzip_status {
	GZIP_MORE,   /* the output is full, or the input is used up */
	GZIP_BLOCK,  /* a deflate block begins: see gzip_behind() */
	GZIP_MEMBER, /* a member has ended; exactly its bytes are used up */
};

/* Starts at the header of a member. */
int gzip_new(enum inflate_choice engine, struct gzip **out);
void gzip_free(struct gzip *g);

/*
 * Restarts inside a member, at a block, like inflate_start(). The CRC and length of that
 * member are not checked, because its beginning is not decoded.
 */
int gzip_start_block(struct gzip *g, const void *window, size_t len, unsigned bits,
		     unsigned value);

/*
 * Returns an enum gzip_status, -EBADMSG or -ENOMEM. Output may be held back while the
 * output is full: call it again then, even without input. @stop is as for inflate_run().
 */
int gzip_run(struct gzip *g, struct flow *flow, bool stop, struct err *e);

/* After GZIP_BLOCK: the number of bits before flow->in where the block begins. */
unsigned gzip_behind(const struct gzip *g);
/*
 * The checksum of the member's content so far. Still valid when the member has just
 * ended.
 */
uint32_t gzip_crc(const struct gzip *g);
/* May the data end here? True after a member and in the zeros behind the last one. */
bool gzip_is_between(const struct gzip *g);

#endif
