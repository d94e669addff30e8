/* SPDX-License-Identifier: MIT */
/*
 * The refusal of a registry or token server as a sentence: its status, and the error in
 * its body (distribution-spec, "Error Codes").
 */
#ifndef REGISTRY_HTTP_REFUSAL_H
#define REGISTRY_HTTP_REFUSAL_H

#include <stdbool.h>
#include <stdint.h>

struct err;
struct transfer;

/*
 * Reads a few KiB of the body and writes the sentence: "HOST answers 404 Not Found:
 * MANIFEST_UNKNOWN, ...". Returns -ENOENT for 404 and 410, -EACCES for 401, 403 and 407,
 * -EBADE for 416, -ENOTSUP for 405 and 501, -ESTALE for 412, -EFBIG for 413, -ENOSPC for
 * 507, else -EIO.
 */
int refusal(struct transfer *t, const char *host, int64_t until, struct err *e);

/*
 * -EBADE, for an answer that is not what was requested, with a sentence if the body has a
 * content coding: byte offsets in it would be meaningless. Else 0.
 */
int refuse_coding(const struct transfer *t, struct err *e);
/* Is it one that is also said of files which end in .gz? @coding may be NULL. */
bool is_gzip_coding(const char *coding);

#endif
