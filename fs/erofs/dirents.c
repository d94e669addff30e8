/* SPDX-License-Identifier: MIT */
#include "fs/erofs/dirents.h"

#include <string.h>
#include <sys/stat.h>

#include "base/num.h"

/* One name on the way, with its child unless it is "." or "..". */
struct step {
	const char *name;
	size_t len;
	struct child *child;
};

enum dirent_type dirents_type(uint32_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return DIRENT_REGULAR;
	case S_IFDIR:
		return DIRENT_DIRECTORY;
	case S_IFCHR:
		return DIRENT_CHAR;
	case S_IFBLK:
		return DIRENT_BLOCK;
	case S_IFIFO:
		return DIRENT_FIFO;
	case S_IFSOCK:
		return DIRENT_SOCKET;
	case S_IFLNK:
		return DIRENT_SYMLINK;
	default:
		return 0;
	}
}

int dirents_compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
	int order = memcmp(a, b, a_len < b_len ? a_len : b_len);

	return order ? order : (a_len > b_len) - (a_len < b_len);
}

/* False after the last name. */
static bool peek(const struct dirents *d, struct step *out)
{
	struct step dots = {"..", d->dots + 1, NULL};
	struct step name = {.child = NULL};

	if (d->next < d->n) {
		name.child = &d->list[d->next];
		name.name = name.child->name;
		name.len = name.child->len;
	}
	if (d->dots < 2 && (!name.child || dirents_compare(dots.name, dots.len, name.name,
							   name.len) < 0))
		*out = dots;
	else
		*out = name;
	return out->len > 0;
}

static void pass(struct dirents *d, const struct step *s)
{
	if (s->child)
		d->next++;
	else
		d->dots++;
}

/* Passes the names of one block: their number, and the bytes that they use. */
static size_t pass_block(struct dirents *d, size_t *used)
{
	struct step s;
	size_t n = 0;

	*used = 0;
	while (peek(d, &s) && *used + EROFS_DIRENT + s.len <= EROFS_BLOCK) {
		*used += EROFS_DIRENT + s.len;
		pass(d, &s);
		n++;
	}
	return n;
}

uint64_t dirents_size(const struct dirents *from)
{
	struct dirents d = *from;
	uint64_t size = 0;
	size_t used = 0;

	while (d.next < d.n || d.dots < 2) {
		size = round_up(size, EROFS_BLOCK);
		pass_block(&d, &used);
		size += used;
	}
	return size;
}

size_t dirents_block(struct dirents *d, uint64_t at, unsigned char block[EROFS_BLOCK])
{
	struct dirents ahead = *d;
	size_t used, i, n = pass_block(&ahead, &used), text = n * EROFS_DIRENT;
	unsigned char *row = block;
	struct step s;

	memset(block, 0, EROFS_BLOCK);
	for (i = 0; i < n; i++, row += EROFS_DIRENT) {
		peek(d, &s);
		if (s.child && s.child->type == DIRENT_DIRECTORY)
			s.child->place = at + i * EROFS_DIRENT;
		put_le64(row, s.child ? s.child->nid : d->dots ? d->parent : d->self);
		put_le16(row + 8, (uint16_t)text);
		row[10] = s.child ? s.child->type : DIRENT_DIRECTORY;
		memcpy(block + text, s.name, s.len);
		text += s.len;
		pass(d, &s);
	}
	return used;
}
