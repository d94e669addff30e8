/* SPDX-License-Identifier: MIT */
#include "tar/span_places.h"

#include <errno.h>
#include <stdlib.h>

#include "base/store/lower.h"
#include "tar/index/index.h"
#include "tar/span_lower.h"

int span_places_open(struct span_places *p, struct store *store, struct slot *slot,
		     const struct index *ix, int index_fd)
{
	const struct index_info *info = index_info(ix);
	int rc = span_lower_open(store, &info->blob, info->n_spans, &p->lower);

	if (rc < 0)
		return rc;
	span_file_open(&p->file, store, slot, ix, index_fd);
	pthread_mutex_init(&p->claim, NULL);
	return 0;
}

void span_places_close(struct span_places *p)
{
	span_file_close(&p->file);
	span_lower_free(p->lower);
	pthread_mutex_destroy(&p->claim);
}

void span_places_claim(struct span_places *p)
{
	pthread_mutex_lock(&p->claim);
	span_file_claim(&p->file);
	pthread_mutex_unlock(&p->claim);
}

int span_places_find(const struct span_places *p, uint32_t i, const struct span *sp)
{
	int k;

	if (span_file_has(&p->file, i))
		return SPAN_IN_FILE;
	k = span_lower_find(p->lower, i, sp);
	return k < 0 ? SPAN_NOWHERE : k;
}

bool span_places_is_lasting(const struct span_places *p, int place)
{
	if (place < 0)
		return place == SPAN_IN_FILE;
	return span_lower_is_held(p->lower, place) && !store_copies_lower(p->file.store);
}

int span_places_load(struct span_places *p, uint32_t i, const struct span *sp, void *mem,
		     int *place)
{
	int at, rc;

	while ((at = span_places_find(p, i, sp)) != SPAN_NOWHERE) {
		rc = at == SPAN_IN_FILE ? span_file_load(&p->file, i, sp, mem)
					: span_lower_load(p->lower, at, i, sp, mem);
		if (rc < 0) /* it is not found there any more */
			continue;
		*place = span_places_is_lasting(p, at) ? at : SPAN_IN_MEMORY;
		return 0;
	}
	return -ENOENT;
}

static int check_lower_run(struct span_places *p, int k, uint32_t first, uint32_t n,
			   span_file_good_fn *good, void *arg)
{
	struct span sp;
	uint32_t i;
	int rc = 0;
	char *mem;

	for (i = first; rc == 0 && i < first + n; i++) {
		rc = index_span(p->file.index, i, &sp);
		mem = rc == 0 ? malloc(sp.out_len + 1) : NULL;
		if (!mem)
			return rc < 0 ? rc : -ENOMEM;
		if (span_lower_load(p->lower, k, i, &sp, mem) == 0)
			good(arg, i, &sp);
		free(mem);
	}
	return rc;
}

int span_places_check_run(struct span_places *p, int place, uint32_t first, uint32_t n,
			  span_file_good_fn *good, void *arg)
{
	if (place == SPAN_IN_FILE)
		return span_file_load_run(&p->file, first, n, good, arg);
	return check_lower_run(p, place, first, n, good, arg);
}
