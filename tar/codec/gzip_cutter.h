/* SPDX-License-Identifier: MIT */
/* The first pass over gzip: decodes it and cuts it into spans. decoder.c is the user. */
#ifndef TAR_CODEC_GZIP_CUTTER_H
#define TAR_CODEC_GZIP_CUTTER_H

#include <stddef.h>

#include "tar/codec/inflate.h"

struct decoder_ops;
struct err;
struct gzip_cutter;

int gzip_cutter_new(const struct decoder_ops *ops, void *arg, enum inflate_choice engine,
		    struct gzip_cutter **out);
void gzip_cutter_free(struct gzip_cutter *c);
/* Like decoder_feed() and decoder_finish(). */
int gzip_cutter_feed(struct gzip_cutter *c, const void *data, size_t len, struct err *e);
int gzip_cutter_finish(struct gzip_cutter *c, struct err *e);

#endif
