/* SPDX-License-Identifier: MIT */
#include "tar/audit.h"

#include <errno.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/store/slot.h"
#include "tar/index/index.h"
#include "tar/span_file.h"

static bool span_is_right(struct slot *slot, int fd, uint32_t i, const struct span *sp,
			  char *mem)
{
	return slot_is_sound(slot, i, sp->out, (uint32_t)sp->out_len) &&
	       (!span_can_check(sp) || slot_word(slot, i) == 0) &&
	       fd_read_all(fd, mem, (size_t)sp->out_len, sp->out) == 0 &&
	       span_file_check(slot, i, sp, mem);
}

static int audit_span(struct audit *a, struct slot *slot, int fd, uint32_t i,
		      const struct span *sp)
{
	char *mem = malloc(sp->out_len + 1);
	struct err e;

	if (!mem)
		return -ENOMEM;
	if (span_is_right(slot, fd, i, sp, mem)) {
		a->bytes += sp->out_len;
	} else {
		slot_set_filled(slot, i, 0, 0);
		a->bad++;
		err_set(&e, 0,
			"bytes %llu to %llu are damaged; they will be fetched again",
			(unsigned long long)sp->out,
			(unsigned long long)(sp->out + sp->out_len));
		a->on_bad(a->arg, e.text);
	}
	free(mem);
	return 0;
}

/* Checks every span that the store has. */
static int audit_spans(struct audit *a, struct slot *slot, const struct index *ix)
{
	uint32_t i, n = index_info(ix)->n_spans;
	int fd = slot_data(slot), rc = 0;
	struct span sp;

	if (fd < 0 || slot_map(slot, n) < 0)
		return 0;
	for (i = 0; rc == 0 && i < n; i++) {
		if (slot_is_filled(slot, i) && index_span(ix, i, &sp) == 0)
			rc = audit_span(a, slot, fd, i, &sp);
	}
	return rc;
}

/* An error that says nothing about the index. */
static bool is_shortage(int code)
{
	return code == -ENOMEM || code == -EMFILE || code == -ENFILE;
}

static void drop_index(struct audit *a, struct slot *slot, const struct err *why)
{
	struct err e;

	err_set(&e, 0, "its index is damaged%s%s; it will be rebuilt",
		why->text[0] ? ": " : "", why->text);
	slot_drop(slot);
	a->bad++;
	a->on_bad(a->arg, e.text);
}

int audit_layer(struct audit *a, struct store *s, const struct digest *layer)
{
	struct index *ix = NULL;
	struct slot *slot = NULL;
	struct err why = {""};
	int rc = slot_open(s, layer, &slot);

	if (rc < 0)
		return rc;
	rc = slot_open_index(slot);
	if (rc == -ENOENT) {
		rc = 0; /* being made, or left by a killed process: never used */
		goto out;
	}
	if (rc >= 0)
		rc = index_open(rc, layer, &ix, &why);
	if (rc == 0)
		rc = index_verify(ix);
	if (rc == 0) {
		rc = audit_spans(a, slot, ix);
	} else if (!is_shortage(rc)) {
		drop_index(a, slot, &why);
		rc = 0;
	}
out:
	index_close(ix);
	slot_close(slot);
	return rc;
}
