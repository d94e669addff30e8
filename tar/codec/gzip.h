/* SPDX-License-Identifier: MIT */
/*
 * gzip (RFC 1952): members, one after another, decoded as one run of bytes. Zero
 * bytes after the last member are ignored; anything else there is corrupt.
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
	GZIP_MEMBER, /* a member has ended, all of it and nothing more is used up */
};

/* At the start of a member. */
int gzip_new(enum inflate_choice engine, struct gzip **out);
/* NULL is fine. */
void gzip_free(struct gzip *g);

/*
 * Begins again inside a member, at a block, as inflate_start(). That member's CRC and
 * length are not checked, for its beginning is not seen.
 */
int gzip_start_block(struct gzip *g, const void *window, size_t len, unsigned bits,
		     unsigned value);

/*
 * An enum gzip_status, or -EBADMSG, -ENOMEM. Output may be held back while the output
 * is full: call again, also without input. @stop is as for inflate_run().
 */
int gzip_run(struct gzip *g, struct flow *flow, bool stop, struct err *e);

/* After GZIP_BLOCK: how many bits before flow->in the block begins. */
unsigned gzip_behind(const struct gzip *g);
/* The checksum of the member's content up to here, also when it has just ended. */
uint32_t gzip_crc(const struct gzip *g);
/* May the data end here? After a member, and in the zeros behind the last one. */
bool gzip_is_between(const struct gzip *g);

#endif
