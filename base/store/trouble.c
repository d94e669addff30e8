/* SPDX-License-Identifier: MIT */
/* What the store cannot take: remembered, and told once. */
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/store/store.h"
#include "base/store/internal.h"

void store_on_trouble(struct store *s, void (*fn)(void *arg, const char *sentence),
		      void *arg)
{
	s->on_trouble = fn;
	s->arg = arg;
}

int store_trouble(const struct store *s, struct err *e)
{
	int rc = __atomic_load_n(&s->trouble, __ATOMIC_RELAXED);

	if (rc == 0)
		return 0;
	if (rc == -ENOSPC)
		return err_set(
			e, rc,
			"the cache %s is full: what it cannot take is fetched again "
			"when it is needed",
			s->dir);
	return err_set(e, rc,
		       "cannot write to the cache %s: %s; what it cannot take is fetched "
		       "again when it is needed",
		       s->dir, strerror(-rc));
}

/* The first is told. A name that something else has says nothing of the others. */
void store_note_trouble(struct store *s, int code)
{
	struct err e = {""};
	int none = 0;

	if (!s->dir || code == -EISDIR ||
	    !__atomic_compare_exchange_n(&s->trouble, &none, code, false,
					 __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		return;
	(void)store_trouble(s, &e);
	if (s->on_trouble)
		s->on_trouble(s->arg, e.text);
}

bool store_keep(struct store *s, int fd, const void *data, size_t len, uint64_t off)
{
	int rc = store_make_room(s, len) ? fd_write_all(fd, data, len, off) : -ENOSPC;

	if (rc < 0)
		store_note_trouble(s, rc);
	return rc == 0;
}
