/* SPDX-License-Identifier: MIT */
/*
 * An index file without the zeros behind its head. Its head, checksums and bounds are
 * corrected, so that hostile contents are reached; then everything in it is queried.
 */
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tar/codec/checksum.h"
#include "tar/index/format.h"
#include "tar/index/index.h"
#include "tests/unit/answers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Puts sections where the input says, if they fit. */
static void mend_sections(struct index_head *head, uint64_t body)
{
	static const uint32_t row_sizes[N_SECTIONS] = {
		[SECTION_ENTRIES] = sizeof(struct index_row),
		[SECTION_STRINGS] = 1,
		[SECTION_UNITS] = INDEX_UNIT,
		[SECTION_SPANS] = sizeof(uint32_t),
		[SECTION_FOREIGN] = 4,
		[SECTION_SKIPPED] = 1,
	};
	int i;

	for (i = 0; i < N_SECTIONS; i++) {
		struct index_place *p = &head->sections[i];
		uint64_t off = (p->off - INDEX_HEAD_SIZE) % body & ~UINT64_C(7);

		p->off = INDEX_HEAD_SIZE + off;
		if (p->len > body - off)
			p->len = body - off;
		p->len -= p->len % row_sizes[i];
	}
}

static void mend(unsigned char *file, uint64_t body, uint64_t size)
{
	struct index_head *head = (struct index_head *)(void *)file;
	uint64_t block, n = (body + INDEX_BLOCK - 1) / INDEX_BLOCK;

	head->magic = INDEX_MAGIC;
	head->version = INDEX_VERSION;
	head->file_size = size;
	head->compression %= COMPRESSION_ZSTD + 1;
	head->basis %= BASIS_PUSHED + 1;
	head->toc_alg %= DIGEST_SHA512 + 1;
	head->digest_alg = DIGEST_SHA256;
	memset(head->digest, 0, sizeof(head->digest));
	mend_sections(head, body);
	head->blocks = (struct index_place){INDEX_HEAD_SIZE + body, n * 4};
	for (block = 0; block < n; block++) {
		uint64_t off = block * INDEX_BLOCK;
		size_t len = body - off < INDEX_BLOCK ? (size_t)(body - off)
						      : INDEX_BLOCK;
		uint32_t crc = checksum(0, file + INDEX_HEAD_SIZE + off, len);

		memcpy(file + head->blocks.off + block * 4, &crc, 4);
	}
	memcpy(file + head->blocks.off + n * 4, &(uint32_t){INDEX_END}, 4);
	head->blocks_crc = checksum(0, file + head->blocks.off, (size_t)head->blocks.len);
	head->crc = 0;
	head->crc = checksum(0, head, sizeof(*head));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct digest digest = {.alg = DIGEST_SHA256};
	const size_t head = sizeof(struct index_head);
	size_t body = size > head ? (size - head) & ~(size_t)3 : 0;
	size_t all = INDEX_HEAD_SIZE + body +
		     (body / INDEX_BLOCK + (body % INDEX_BLOCK > 0)) * 4 + 4;
	unsigned char *file;
	struct index *ix;
	struct answers a;
	int fd;

	if (body < sizeof(struct index_row) || size > 1 << 20)
		return 0;
	file = calloc(1, all);
	fd = memfd_create("index", MFD_CLOEXEC);
	if (!file || fd < 0)
		abort();
	memcpy(file, data, head);
	memcpy(file + INDEX_HEAD_SIZE, data + head, body);
	mend(file, body, all);
	if (write(fd, file, all) != (ssize_t)all)
		abort();
	free(file);
	if (index_open(fd, &digest, &ix, NULL) < 0)
		return 0;
	answers_init(&a);
	answers_all(&a, ix);
	if (index_verify(ix) < 0 || index_take_damage(ix))
		abort();
	buf_release(&a.text);
	index_close(ix);
	return 0;
}
