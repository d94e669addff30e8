/* SPDX-License-Identifier: MIT */
#include "tar/span_file.h"

#include <errno.h>
#include <stdlib.h>

#include "base/fd.h"
#include "base/num.h"
#include "base/store/room.h"
#include "base/store/slot.h"
#include "tar/codec/checksum.h"
#include "tar/codec/span.h"
#include "tar/index/index.h"

bool span_file_check(const struct slot *slot, uint32_t i, const struct span *sp,
		     const void *mem)
{
	if (span_can_check(sp))
		return span_check(sp, mem) == 0;
	return checksum(0, mem, (size_t)sp->out_len) == slot_word(slot, i);
}

bool span_file_has(const struct span_file *f, uint32_t i)
{
	return f->fd >= 0 && slot_is_filled(f->slot, i);
}

int span_file_load(const struct span_file *f, uint32_t i, const struct span *sp,
		   void *mem)
{
	int rc = fd_read_all(f->fd, mem, (size_t)sp->out_len, sp->out);

	if (rc == 0 && !span_file_check(f->slot, i, sp, mem))
		rc = -EBADMSG;
	if (rc < 0)
		slot_set_filled(f->slot, i, 0, 0);
	return rc;
}

int span_file_load_run(const struct span_file *f, const struct index *ix, uint32_t first,
		       uint32_t n, span_file_good_fn *good, void *arg)
{
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
	rc = fd_read_all(f->fd, mem, len, begin.out);
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
	if (f->fd < 0 || !store_keep(f->store, f->fd, mem, (size_t)sp->out_len, sp->out))
		return false;
	if (!span_can_check(sp))
		slot_set_word(f->slot, i, checksum(0, mem, (size_t)sp->out_len));
	return true;
}

void span_file_mark(const struct span_file *f, uint32_t i, const struct span *sp)
{
	slot_set_filled(f->slot, i, sp->out, (uint32_t)sp->out_len);
}
