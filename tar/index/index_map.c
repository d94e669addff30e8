/* SPDX-License-Identifier: MIT */
#include "tar/index/index_map.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/digest.h"
#include "base/err.h"
#include "base/num.h"
#include "tar/codec/checksum.h"

/* The length of a section is a multiple of this. */
static const uint32_t row_sizes[N_SECTIONS] = {
	[SECTION_ENTRIES] = sizeof(struct index_row),
	[SECTION_STRINGS] = 1,
	[SECTION_UNITS] = INDEX_UNIT,
	[SECTION_SPANS] = sizeof(uint32_t),
	[SECTION_FOREIGN] = sizeof(uint32_t),
	[SECTION_SKIPPED] = 1,
};

static int check_block(const struct index_map *m, uint64_t block)
{
	uint64_t off = INDEX_HEAD_SIZE + (block << INDEX_BLOCK_SHIFT);
	uint64_t len = m->head.blocks.off - off;
	uint64_t *word = &m->checked[block / 64], bit = UINT64_C(1) << (block % 64);
	uint32_t crc;

	if (len > INDEX_BLOCK)
		len = INDEX_BLOCK;
	memcpy(&crc, m->data + m->head.blocks.off + block * sizeof(crc), sizeof(crc));
	if (checksum(0, m->data + off, (size_t)len) != crc) {
		__atomic_store_n(m->damaged, true, __ATOMIC_RELAXED);
		return -EBADMSG;
	}
	__atomic_fetch_or(word, bit, __ATOMIC_RELEASE);
	return 0;
}

static inline bool is_checked(const struct index_map *m, uint64_t block)
{
	uint64_t word = __atomic_load_n(&m->checked[block / 64], __ATOMIC_ACQUIRE);

	return word >> (block % 64) & 1;
}

/*
 * Does the file still have the bytes that were checked? Where it was cut off the map has
 * zeros (see base/fault.h), and so at its end.
 */
static bool is_whole(const struct index_map *m)
{
	if (*m->end == INDEX_END)
		return true;
	__atomic_store_n(m->damaged, true, __ATOMIC_RELAXED);
	return false;
}

const void *index_map_at(const struct index_map *m, enum index_section section,
			 uint64_t off, uint64_t len)
{
	const struct index_place *place = &m->head.sections[section];
	uint64_t block, last;

	if (!range_fits(off, len, place->len))
		return NULL;
	off += place->off;
	if (len > 0) {
		block = (off - INDEX_HEAD_SIZE) >> INDEX_BLOCK_SHIFT;
		last = (off + len - 1 - INDEX_HEAD_SIZE) >> INDEX_BLOCK_SHIFT;
		for (; block <= last; block++) {
			if (!is_checked(m, block) && check_block(m, block) < 0)
				return NULL;
		}
	}
	return is_whole(m) ? m->data + off : NULL;
}

static bool is_sane_place(const struct index_head *head, const struct index_place *p,
			  uint32_t row_size)
{
	if (p->len == 0)
		return p->off <= head->file_size;
	return p->off >= INDEX_HEAD_SIZE && p->off % 8 == 0 &&
	       range_fits(p->off, p->len, head->blocks.off) && p->len % row_size == 0;
}

static bool is_sane_head(const struct index_head *head, uint64_t size)
{
	struct index_head copy = *head;
	uint64_t body, n_blocks, n_entries;
	size_t i;

	copy.crc = 0;
	if (head->magic != INDEX_MAGIC || head->version != INDEX_VERSION ||
	    checksum(0, &copy, sizeof(copy)) != head->crc || head->file_size != size)
		return false;
	if (head->blocks.off < INDEX_HEAD_SIZE || head->blocks.off % 4 != 0 ||
	    !range_fits(head->blocks.off, head->blocks.len, size))
		return false;
	body = head->blocks.off - INDEX_HEAD_SIZE;
	n_blocks = (body + INDEX_BLOCK - 1) >> INDEX_BLOCK_SHIFT;
	if (head->blocks.len != n_blocks * sizeof(uint32_t) ||
	    head->blocks.off + head->blocks.len + sizeof(uint32_t) != size)
		return false;
	for (i = 0; i < N_SECTIONS; i++) {
		if (!is_sane_place(head, &head->sections[i], row_sizes[i]))
			return false;
	}
	n_entries = head->sections[SECTION_ENTRIES].len / sizeof(struct index_row);
	return n_entries >= 1 && n_entries <= INDEX_ENTRIES_MAX &&
	       head->toc_alg <= DIGEST_SHA512;
}

static bool is_of_blob(const struct index_head *head, const struct digest *blob)
{
	return head->digest_alg == blob->alg &&
	       memcmp(head->digest, blob->bytes, sizeof(head->digest)) == 0;
}

static int map_file(struct index_map *m, int fd, struct err *e)
{
	struct stat st;
	void *map;

	if (fstat(fd, &st) < 0)
		return err_set(e, -errno, "cannot stat an index: %s", strerror(errno));
	if (st.st_size < INDEX_HEAD_SIZE)
		return err_set(e, -EBADMSG, "an index of %lld bytes",
			       (long long)st.st_size);
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return err_set(e, -errno, "cannot map an index: %s", strerror(errno));
	m->data = map;
	m->size = (size_t)st.st_size;
	m->end = (const void *)(m->data + m->size - sizeof(*m->end));
	memcpy(&m->head, map, sizeof(m->head));
	return 0;
}

static int check_head(const struct index_map *m, const struct digest *blob, struct err *e)
{
	const struct index_head *head = &m->head;

	if (!is_sane_head(head, m->size))
		return err_set(e, -EBADMSG,
			       "the head of an index is damaged, or of another version");
	if (!is_of_blob(head, blob))
		return err_set(e, -EBADMSG, "an index of another layer");
	if (checksum(0, m->data + head->blocks.off, head->blocks.len) != head->blocks_crc)
		return err_set(e, -EBADMSG, "the checksums of an index are damaged");
	if (*m->end != INDEX_END)
		return err_set(e, -EBADMSG, "an index is cut short");
	return 0;
}

int index_map_init(struct index_map *m, int fd, const struct digest *blob, struct err *e)
{
	int rc;

	memset(m, 0, sizeof(*m));
	rc = map_file(m, fd, e);
	if (rc == 0)
		rc = check_head(m, blob, e);
	if (rc == 0) {
		m->checked = calloc(m->head.blocks.len / sizeof(uint32_t) / 64 + 1,
				    sizeof(uint64_t));
		m->damaged = calloc(1, sizeof(*m->damaged));
		rc = m->checked && m->damaged ? 0 : -ENOMEM;
	}
	if (rc < 0)
		index_map_release(m);
	return rc;
}

void index_map_release(struct index_map *m)
{
	if (m->data)
		munmap((void *)(uintptr_t)m->data, m->size);
	free(m->checked);
	free(m->damaged);
	memset(m, 0, sizeof(*m));
}

uint32_t index_map_rows(const struct index_map *m, enum index_section section)
{
	return (uint32_t)(m->head.sections[section].len / row_sizes[section]);
}

bool index_map_take_damage(const struct index_map *m)
{
	return __atomic_load_n(m->damaged, __ATOMIC_RELAXED) &&
	       __atomic_exchange_n(m->damaged, false, __ATOMIC_RELAXED);
}

static bool is_zero(const unsigned char *p, size_t len)
{
	return p[0] == 0 && memcmp(p, p + 1, len - 1) == 0;
}

int index_map_verify(const struct index_map *m)
{
	const size_t head = sizeof(m->head);
	uint64_t block, n = m->head.blocks.len / sizeof(uint32_t);

	for (block = 0; block < n; block++) {
		if (check_block(m, block) < 0)
			return -EBADMSG;
	}
	if (!is_zero(m->data + head, INDEX_HEAD_SIZE - head) || !is_whole(m))
		return -EBADMSG;
	return 0;
}
