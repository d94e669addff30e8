/* SPDX-License-Identifier: MIT */
/* The input and output of a decoder. It advances both by what it used. */
#ifndef TAR_CODEC_FLOW_H
#define TAR_CODEC_FLOW_H

#include <stddef.h>
#include <stdint.h>

struct flow {
	const uint8_t *in;
	size_t in_len;
	uint8_t *out;
	size_t out_len;
};

#endif
