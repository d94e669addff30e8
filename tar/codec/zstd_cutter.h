/* SPDX-License-Identifier: MIT */
/* The first pass over zstd: decodes it and cuts it into spans. decoder.c is the user. */
#ifndef TAR_CODEC_ZSTD_CUTTER_H
#define TAR_CODEC_ZSTD_CUTTER_H

#include <stddef.h>

struct decoder_ops;
struct err;
struct zstd_cutter;

int zstd_cutter_new(const struct decoder_ops *ops, void *arg, struct zstd_cutter **out);
void zstd_cutter_free(struct zstd_cutter *c);
/* Like decoder_feed() and decoder_finish(). */
int zstd_cutter_feed(struct zstd_cutter *c, const void *data, size_t len, struct err *e);
int zstd_cutter_finish(struct zstd_cutter *c, struct err *e);

#endif
