/* SPDX-License-Identifier: MIT */
/* Decodes input with both engines and checks the output and each span. */
#ifndef TESTS_UNIT_TAR_CODEC_PASSES_H
#define TESTS_UNIT_TAR_CODEC_PASSES_H

#include <errno.h>
#include <stdio.h>

#include "tests/unit/makers.h"
#include "tests/unit/spans.h"
#include "tests/unit/test.h"

#define PLAIN_LEN (7u << 20)
#define SHORT_LEN 1700000

static struct buf plain;

/* @piece is as for pass_run(). Returns the number of spans. */
static inline size_t check(const char *name, const void *in, size_t len, const void *want,
			   size_t want_len, long piece)
{
	size_t n_spans = 0;
	int zlib;

	for (zlib = 0; zlib < 2; zlib++) {
		struct pass p = {0};
		const char *wrong = NULL;

		if (zlib && compression_of(in, len) != COMPRESSION_GZIP)
			break;
		if (pass_run(&p, in, len, piece, zlib) < 0)
			wrong = p.err.text;
		else if (p.len != want_len || (want_len && memcmp(p.out, want, want_len)))
			wrong = "the output is wrong";
		else
			wrong = pass_check(&p, in, len);
		ok(!wrong, "%s%s: %zu to %zu bytes, %zu spans, windows %llu%s%s", name,
		   zlib ? " by zlib" : "", len, p.len, p.n_spans,
		   (unsigned long long)p.windows, wrong ? ": " : "", wrong ? wrong : "");
		n_spans = p.n_spans;
		pass_release(&p);
	}
	return n_spans;
}

#endif
