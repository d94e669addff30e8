/* SPDX-License-Identifier: MIT */
/* A page has one slot where it can be: its number modulo the number of slots. */
#include "fs/erofs/pages.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

/* With the slots, the metadata of 50,000 entries: they are then written once. */
#define PAGE_BYTES 65536
#define N_SLOTS	   64
#define NO_PAGE	   UINT64_MAX

struct slot {
	uint64_t page;
	bool is_changed;
	char *bytes; /* PAGE_BYTES, once it has a page */
};

struct pages {
	int fd;
	uint64_t n; /* pages before this one may be in the file */
	struct slot slots[N_SLOTS];
};

int pages_new(int fd, struct pages **out)
{
	struct pages *p = calloc(1, sizeof(*p));
	size_t i;

	if (!p)
		return -ENOMEM;
	p->fd = fd;
	for (i = 0; i < N_SLOTS; i++)
		p->slots[i].page = NO_PAGE;
	*out = p;
	return 0;
}

void pages_free(struct pages *p)
{
	size_t i;

	for (i = 0; p && i < N_SLOTS; i++)
		free(p->slots[i].bytes);
	free(p);
}

static int slot_save(struct pages *p, struct slot *s)
{
	int rc;

	if (!s->is_changed)
		return 0;
	rc = fd_write_all(p->fd, s->bytes, PAGE_BYTES, s->page * PAGE_BYTES);
	if (rc < 0)
		return rc;
	s->is_changed = false;
	if (p->n <= s->page)
		p->n = s->page + 1;
	return 0;
}

static int slot_load(struct pages *p, struct slot *s, uint64_t page)
{
	ssize_t n = 0;

	if (!s->bytes)
		s->bytes = malloc(PAGE_BYTES);
	if (!s->bytes)
		return -ENOMEM;
	if (page < p->n) {
		do
			n = pread(p->fd, s->bytes, PAGE_BYTES,
				  (off_t)(page * PAGE_BYTES));
		while (n < 0 && errno == EINTR);
		if (n < 0)
			return -errno;
		/* Files of whole pages; one that was skipped may be behind the end. */
		if (n != 0 && n != PAGE_BYTES)
			return -EIO;
	}
	if (n == 0)
		memset(s->bytes, 0, PAGE_BYTES);
	s->page = page;
	return 0;
}

/* The slot with a page in it. */
static int find_slot(struct pages *p, uint64_t page, struct slot **out)
{
	struct slot *s = &p->slots[page % N_SLOTS];
	int rc = 0;

	*out = s;
	if (s->page == page)
		return 0;
	rc = slot_save(p, s);
	if (rc == 0) {
		s->page = NO_PAGE;
		rc = slot_load(p, s, page);
	}
	return rc;
}

/* The bytes at *@off of one page, of *@len as many as there are. */
static int find_bytes(struct pages *p, uint64_t off, size_t *len, struct slot **slot,
		      char **at)
{
	size_t skip = (size_t)(off % PAGE_BYTES);
	int rc = find_slot(p, off / PAGE_BYTES, slot);

	if (rc < 0)
		return rc;
	*at = (*slot)->bytes + skip;
	if (*len > PAGE_BYTES - skip)
		*len = PAGE_BYTES - skip;
	return 0;
}

int pages_put(struct pages *p, uint64_t off, const void *data, size_t len)
{
	const char *from = data;
	struct slot *slot;
	size_t n;
	char *at;
	int rc;

	for (; len > 0; off += n, from += n, len -= n) {
		n = len;
		rc = find_bytes(p, off, &n, &slot, &at);
		if (rc < 0)
			return rc;
		memcpy(at, from, n);
		slot->is_changed = true;
	}
	return 0;
}

int pages_get(struct pages *p, uint64_t off, void *buf, size_t len)
{
	char *to = buf, *at;
	struct slot *slot;
	size_t n;
	int rc;

	for (; len > 0; off += n, to += n, len -= n) {
		n = len;
		rc = find_bytes(p, off, &n, &slot, &at);
		if (rc < 0)
			return rc;
		memcpy(to, at, n);
	}
	return 0;
}

int pages_flush(struct pages *p)
{
	int rc = 0;
	size_t i;

	for (i = 0; rc == 0 && i < N_SLOTS; i++)
		rc = slot_save(p, &p->slots[i]);
	return rc;
}
