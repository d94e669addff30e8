/* SPDX-License-Identifier: MIT */
/*
 * A layer with an embedded table: a byte for the form, 24 for its place, then the blob.
 * No digest can match, so the only possible result is an error.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "base/source.h"
#include "tar/toc/blob_reader.h"
#include "tar/toc/toc_ref.h"

#define HEAD 25

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct digest digest = {.alg = DIGEST_SHA256};
	struct toc_ref c = {.toc = digest, .json = digest};
	struct err e = {""};
	struct source *blob;
	uint64_t fetched = 0, prefetch = 0, words[3];
	int fd;

	if (size < HEAD)
		return 0;
	memcpy(words, data + 1, sizeof(words));
	c.basis = data[0] % 2 ? BASIS_CHUNKED : BASIS_ESTARGZ;
	c.place = (struct chunked_place){
		.off = words[0], .len = words[1], .json_len = words[2]};
	fd = memfd_create("index", MFD_CLOEXEC);
	if (fd < 0 || source_memory(data + HEAD, size - HEAD, &blob) < 0)
		abort();
	if (toc_ref_make_index(&c, &(struct blob_reader){.blob = blob, .bytes = &fetched},
			       &digest, fd, &prefetch, &e) >= 0 ||
	    !e.text[0])
		abort();
	source_unref(blob);
	close(fd);
	return 0;
}
