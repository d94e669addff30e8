/* SPDX-License-Identifier: MIT */
#include "tar/span_file.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/num.h"
#include "base/store/lower.h"
#include "base/store/room.h"
#include "base/store/slot.h"
#include "base/store/store.h"
#include "tar/codec/checksum.h"
#include "tar/codec/span.h"
#include "tar/index/index.h"

/* Without a map, stored spans are known to this process only. */
static int open_slot(const struct span_file *f)
{
	int fd = slot_data(f->slot);

	if (fd < 0)
		return -1;
	(void)slot_map(f->slot, index_info(f->index)->n_spans);
	return fd;
}

/*
 * The slot's files, for an index that is a lower store's. Another process may have made
 * another index of this layer, may be making one, or may have removed this one since. Then
 * the slot's files are left alone.
 */
static int claim_slot(struct span_file *f)
{
	int fd = -1;

	if (index_verify(f->index) == 0 && slot_adopt_index(f->slot, f->index_fd) == 0)
		fd = open_slot(f);
	if (fd >= 0 && slot_has_index(f->slot))
		return fd;
	if (!store_keeps_data(f->store))
		return -1;
	f->unnamed = store_new_file(f->store);
	return f->unnamed < 0 ? -1 : f->unnamed;
}

void span_file_open(struct span_file *f, struct store *store, struct slot *slot,
		    const struct index *ix, int index_fd)
{
	*f = (struct span_file){
		.store = store,
		.slot = slot,
		.index = ix,
		.index_fd = index_fd,
		.fd = SPAN_FILE_LATER,
		.unnamed = -1,
	};
	if (index_fd < 0)
		f->fd = open_slot(f);
	else if (store_copies_lower(store))
		f->fd = claim_slot(f);
	else if (!store_keeps_data(store))
		f->fd = -1;
}

void span_file_close(struct span_file *f)
{
	if (f->unnamed >= 0)
		close(f->unnamed);
}

void span_file_claim(struct span_file *f)
{
	if (__atomic_load_n(&f->fd, __ATOMIC_RELAXED) == SPAN_FILE_LATER)
		__atomic_store_n(&f->fd, claim_slot(f), __ATOMIC_RELEASE);
}

bool span_file_can_keep(const struct span_file *f)
{
	return __atomic_load_n(&f->fd, __ATOMIC_RELAXED) != -1;
}

int span_file_fd(const struct span_file *f)
{
	int fd = __atomic_load_n(&f->fd, __ATOMIC_ACQUIRE);

	return fd < 0 ? -1 : fd;
}

bool span_file_check(const struct slot *slot, uint32_t i, const struct span *sp,
		     const void *mem)
{
	if (span_can_check(sp))
		return span_check(sp, mem) == 0;
	return checksum(0, mem, (size_t)sp->out_len) == slot_word(slot, i);
}

bool span_file_has(const struct span_file *f, uint32_t i)
{
	return span_file_fd(f) >= 0 && slot_is_filled(f->slot, i);
}

int span_file_load(const struct span_file *f, uint32_t i, const struct span *sp,
		   void *mem)
{
	int rc = fd_read_all(span_file_fd(f), mem, (size_t)sp->out_len, sp->out);

	if (rc == 0 && !span_file_check(f->slot, i, sp, mem))
		rc = -EBADMSG;
	if (rc < 0)
		slot_set_filled(f->slot, i, 0, 0);
	return rc;
}

int span_file_load_run(const struct span_file *f, uint32_t first, uint32_t n,
		       span_file_good_fn *good, void *arg)
{
	const struct index *ix = f->index;
	struct span begin, sp;
	uint32_t i;
	uint64_t len;
	char *mem;
	int rc = index_span(ix, first, &begin);

	if (rc == 0)
		rc = index_span(ix, first + n - 1, &sp);
	if (rc < 0)
		return rc;
	len = sp.out + sp.out_len - begin.out;
	mem = malloc(len);
	if (!mem)
		return -ENOMEM;
	rc = fd_read_all(span_file_fd(f), mem, len, begin.out);
	for (i = first; rc == 0 && i < first + n; i++) {
		rc = index_span(ix, i, &sp);
		if (rc == 0 && range_fits(sp.out - begin.out, sp.out_len, len) &&
		    span_file_check(f->slot, i, &sp, mem + (sp.out - begin.out)))
			good(arg, i, &sp);
		else
			slot_set_filled(f->slot, i, 0, 0);
	}
	free(mem);
	return rc;
}

bool span_file_save(const struct span_file *f, uint32_t i, const struct span *sp,
		    const void *mem)
{
	int fd = span_file_fd(f);

	if (fd < 0 || !store_keep(f->store, fd, mem, (size_t)sp->out_len, sp->out))
		return false;
	if (!span_can_check(sp))
		slot_set_word(f->slot, i, checksum(0, mem, (size_t)sp->out_len));
	return true;
}

void span_file_mark(const struct span_file *f, uint32_t i, const struct span *sp)
{
	slot_set_filled(f->slot, i, sp->out, (uint32_t)sp->out_len);
}
