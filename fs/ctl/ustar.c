/* SPDX-License-Identifier: MIT */
/*
 *	offset	size
 *	0	100	name		behind the prefix and a slash if there is a prefix
 *	100	8	mode		numbers are octal digits and a NUL
 *	108	8	uid
 *	116	8	gid
 *	124	12	size
 *	136	12	mtime
 *	148	8	checksum	six digits, NUL, space: the sum of all bytes, with
 *					these as spaces
 *	156	1	type
 *	157	100	link
 *	257	8	"ustar", NUL, "00"
 *	265	64	names of owner and group: none
 *	329	8	device, major
 *	337	8	device, minor
 *	345	155	prefix
 */
#include "fs/ctl/ustar.h"

#include <stdint.h>
#include <string.h>
#include <sys/sysmacros.h>

#define NAME_LEN   100
#define PREFIX_LEN 155

static bool is_ascii(const char *s, size_t len)
{
	while (len > 0 && (*s & 0x80) == 0) {
		s++;
		len--;
	}
	return len == 0;
}

/* Octal digits in a field of @size bytes with its NUL. */
static bool put_number(char *field, size_t size, uint64_t n)
{
	field += size - 1;
	while (--size > 0) {
		*--field = (char)('0' + (n & 7));
		n >>= 3;
	}
	return n == 0;
}

/* A long name is split at a slash, which is in neither part. */
static bool put_name(char *header, const char *name, size_t len, bool is_dir)
{
	const char *rest = name, *end = name + len;

	if (!is_ascii(name, len))
		return false;
	is_dir = is_dir && end[-1] != '/';
	if (len + is_dir > NAME_LEN) {
		rest = memchr(end - (NAME_LEN - is_dir) - 1, '/',
			      (size_t)NAME_LEN - is_dir);
		if (!rest || rest == name || rest - name > PREFIX_LEN)
			return false;
		memcpy(header + 345, name, (size_t)(rest - name));
		rest++;
	}
	memcpy(header, rest, (size_t)(end - rest));
	if (is_dir)
		header[end - rest] = '/';
	return true;
}

static char type_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return '0';
	case S_IFLNK:
		return '2';
	case S_IFCHR:
		return '3';
	case S_IFBLK:
		return '4';
	case S_IFDIR:
		return '5';
	case S_IFIFO:
		return '6';
	default:
		return 0;
	}
}

static void put_checksum(char *header)
{
	unsigned sum = 0;
	size_t i;

	memset(header + 148, ' ', 8);
	for (i = 0; i < USTAR_BLOCK; i++)
		sum += (unsigned char)header[i];
	put_number(header + 148, 7, sum);
}

/* The largest number of 11 octal digits. */
#define TIME_MAX_FIELD INT64_C(077777777777)

/* @type: of a hard link or a record, else 0. */
static bool format_entry(const char *name, const struct stat *st, const char *link,
			 char type, char *h)
{
	bool is_device = S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode);
	size_t link_len = link ? strlen(link) : 0;
	int64_t time = st->st_mtim.tv_sec;

	memset(h, 0, USTAR_BLOCK);
	h[156] = type ? type : type_of(st->st_mode);
	if (!h[156] || link_len > NAME_LEN || !is_ascii(link, link_len) ||
	    !put_name(h, name, strlen(name), S_ISDIR(st->st_mode)))
		return false;
	if (link)
		memcpy(h + 157, link, link_len);
	memcpy(h + 257,
	       "ustar\0"
	       "00",
	       8);
	time = time < 0 ? 0 : time > TIME_MAX_FIELD ? TIME_MAX_FIELD : time;
	if (!put_number(h + 100, 8, st->st_mode & 07777) ||
	    !put_number(h + 108, 8, st->st_uid) || !put_number(h + 116, 8, st->st_gid) ||
	    !put_number(h + 124, 12,
			h[156] == '0' || h[156] == 'x' ? (uint64_t)st->st_size : 0) ||
	    !put_number(h + 136, 12, (uint64_t)time) ||
	    !put_number(h + 329, 8, is_device ? major(st->st_rdev) : 0) ||
	    !put_number(h + 337, 8, is_device ? minor(st->st_rdev) : 0))
		return false;
	put_checksum(h);
	return true;
}

static bool needs_record(const struct timespec *t)
{
	return t->tv_nsec != 0 || t->tv_sec < 0 || t->tv_sec > TIME_MAX_FIELD;
}

/* Writes digits in front of @end, at least @n. Returns where they begin. */
static char *put_digits(char *end, uint64_t value, int n)
{
	while (n-- > 0 || value > 0) {
		*--end = (char)('0' + value % 10);
		value /= 10;
	}
	return end;
}

/*
 * "LENGTH mtime=SECONDS.NANOSECONDS", in which the sign holds for the whole (POSIX, pax
 * header block). The length counts itself and has two digits.
 */
static size_t format_time(struct timespec t, char *out)
{
	static const char key[] = " mtime=";
	bool is_negative = t.tv_sec < 0;
	char text[64], *end = text + sizeof(text), *p = end;
	uint64_t seconds = (uint64_t)t.tv_sec;

	if (is_negative) {
		seconds = 0 - seconds - (t.tv_nsec > 0);
		t.tv_nsec = t.tv_nsec > 0 ? 1000000000 - t.tv_nsec : 0;
	}
	*--p = '\n';
	p = put_digits(p, (uint64_t)t.tv_nsec, 9);
	*--p = '.';
	p = put_digits(p, seconds, 1);
	if (is_negative)
		*--p = '-';
	p -= sizeof(key) - 1;
	memcpy(p, key, sizeof(key) - 1);
	p = put_digits(p, (uint64_t)(end - p) + 2, 2);
	memcpy(out, p, (size_t)(end - p));
	return (size_t)(end - p);
}

size_t ustar_format(const char *name, const struct stat *st, const char *link,
		    bool is_hardlink, char *out)
{
	struct stat record = {.st_mode = S_IFREG | 0644};
	bool has_record = needs_record(&st->st_mtim);
	size_t at = has_record ? 2 * USTAR_BLOCK : 0;

	if (!format_entry(name, st, link, is_hardlink ? '1' : 0, out + at))
		return 0;
	if (has_record) {
		memset(out + USTAR_BLOCK, 0, USTAR_BLOCK);
		record.st_size = (off_t)format_time(st->st_mtim, out + USTAR_BLOCK);
		/* A name that tells what it is, for a reader that does not know the type. */
		format_entry("././@PaxHeader", &record, NULL, 'x', out);
	}
	return at + USTAR_BLOCK;
}
