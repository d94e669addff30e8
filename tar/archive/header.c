/* SPDX-License-Identifier: MIT */
/*
 *	  0 name 100	  | 100 mode 8	| 108 uid 8  | 116 gid 8 | 124 size 12
 *	136 mtime 12	  | 148 sum 8	| 156 type 1 | 157 link 100
 *	257 magic 6	  | 263 version 2 | 265 uname 32 | 297 gname 32
 *	329 dev major 8   | 337 dev minor 8
 *	345 prefix 155 (ustar), 131 (star, which has "tar\0" at 508)
 *	345 atime 12, 357 ctime 12, 386 and on the sparse map (GNU: see sparse.c)
 *
 * A text ends at a NUL or at the end of its field. The magic tells the format: "ustar\0"
 * is POSIX and star, "ustar  \0" (which overlaps the version) is GNU, anything else is
 * v7.
 */
#include "tar/archive/header.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"

#define SUM_AT	   148
#define SUM_LEN	   8
#define PREFIX_AT  345
#define PREFIX_LEN 155
#define STAR_LEN   131
#define TIME_LEN   12

/*
 * Adds up all bytes in four lanes of 16 bits: 64 words of at most 255 in a lane, twice,
 * cannot overflow a lane. This is about ten times faster than byte by byte, and it is
 * most of the cost of a header.
 */
static uint32_t sum_bytes(const uint8_t *block)
{
	const uint64_t lanes = 0x00ff00ff00ff00ffu;
	uint64_t sum = 0, word;
	size_t i;

	for (i = 0; i < HEADER_SIZE; i += sizeof(word)) {
		memcpy(&word, block + i, sizeof(word));
		sum += (word & lanes) + (word >> 8 & lanes);
	}
	return (uint32_t)((sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32 & 0xffff) +
			  (sum >> 48));
}

/* The sum counts its own field as blanks. Some old tars added up signed chars. */
static bool sum_is_right(const uint8_t *block)
{
	uint32_t sum = sum_bytes(block) + SUM_LEN * ' ', high = 0;
	int64_t stated;
	size_t i;

	for (i = 0; i < SUM_LEN; i++)
		sum -= block[SUM_AT + i];
	if (!header_number(block + SUM_AT, SUM_LEN, &stated))
		return false;
	if (stated == (int64_t)sum)
		return true;
	for (i = 0; i < HEADER_SIZE; i++) {
		if (i < SUM_AT || i >= SUM_AT + SUM_LEN)
			high += block[i] >> 7;
	}
	return stated == (int64_t)sum - 256 * (int64_t)high;
}

bool header_is_zero(const uint8_t block[HEADER_SIZE])
{
	return block[0] == 0 && memcmp(block, block + 1, HEADER_SIZE - 1) == 0;
}

/* Big-endian two's complement. Bit 7 of the first byte is only the marker. */
static bool base256(const uint8_t *field, size_t len, int64_t *out)
{
	uint8_t invert = field[0] & 0x40 ? 0xff : 0;
	uint64_t v = 0;
	size_t i;

	for (i = 0; i < len; i++) {
		uint8_t byte = field[i] ^ invert;

		if (i == 0)
			byte &= 0x7f;
		if (v >> 55)
			return false;
		v = v << 8 | byte;
	}
	/* ~v equals -1 - v, and shows that nothing overflows for the lowest number. */
	*out = invert ? (int64_t)~v : (int64_t)v;
	return true;
}

bool header_number(const uint8_t *field, size_t len, int64_t *out)
{
	size_t i = 0;
	int64_t v = 0;

	if (field[0] & 0x80)
		return base256(field, len, out);
	while (i < len && (field[i] == ' ' || field[i] == '\0'))
		i++;
	for (; i < len && field[i] >= '0' && field[i] <= '7'; i++)
		v = v << 3 | (field[i] - '0');
	if (i < len && field[i] != ' ' && field[i] != '\0')
		return false;
	*out = v;
	return true;
}

static size_t text_len(const uint8_t *field, size_t max)
{
	return strnlen((const char *)field, max);
}

static bool is_time(const uint8_t *field)
{
	int64_t v;

	return field[0] == '\0' || header_number(field, TIME_LEN, &v);
}

/*
 * GNU has no prefix, but Go before 1.8 wrote one under GNU's magic, over the atime and
 * ctime. Old images have such headers. They are recognised by times that are not numbers.
 */
static size_t stray_prefix_len(const uint8_t *block)
{
	const uint8_t *atime = block + PREFIX_AT, *ctime = atime + TIME_LEN;
	size_t len, i;

	if (is_time(atime) && is_time(ctime))
		return 0;
	len = text_len(atime, PREFIX_LEN);
	for (i = 0; i < len; i++) {
		if (atime[i] & 0x80)
			return 0;
	}
	return len;
}

static void parse_names(const uint8_t *block, struct header *h)
{
	bool is_posix = memcmp(block + 257, "ustar", 6) == 0;

	h->is_gnu = memcmp(block + 257, "ustar  ", 8) == 0;
	h->name = (const char *)block;
	h->name_len = text_len(block, 100);
	h->link = (const char *)block + 157;
	h->link_len = text_len(block + 157, 100);
	h->prefix = (const char *)block + PREFIX_AT;
	if (is_posix && memcmp(block + 508, "tar", 4) == 0)
		h->prefix_len = text_len(block + PREFIX_AT, STAR_LEN);
	else if (is_posix)
		h->prefix_len = text_len(block + PREFIX_AT, PREFIX_LEN);
	else
		h->prefix_len = h->is_gnu ? stray_prefix_len(block) : 0;
}

/* v7 has no fields for device numbers. */
static bool parse_device(const uint8_t *block, struct header *h)
{
	h->dev_major = h->dev_minor = 0;
	if ((h->type != '3' && h->type != '4') || memcmp(block + 257, "ustar", 5) != 0)
		return true;
	return header_number(block + 329, 8, &h->dev_major) &&
	       header_number(block + 337, 8, &h->dev_minor);
}

int header_parse(const uint8_t block[HEADER_SIZE], struct header *out, struct err *e)
{
	struct header h;
	int64_t mode, size;

	if (!sum_is_right(block))
		return err_set(e, -EBADMSG, "the header's checksum is wrong");
	h.type = (char)block[156];
	if (!header_number(block + 100, 8, &mode))
		return err_set(e, -EBADMSG, "the mode is not a number");
	if (!header_number(block + 108, 8, &h.uid) ||
	    !header_number(block + 116, 8, &h.gid))
		return err_set(e, -EBADMSG, "the owner is not a number");
	if (!header_number(block + 124, 12, &size) || size < 0)
		return err_set(e, -EBADMSG,
			       "the size is not a number, or negative, or above 2^63-1");
	if (!header_number(block + 136, 12, &h.mtime))
		return err_set(e, -EBADMSG, "the time is not a 64-bit number");
	if (!parse_device(block, &h))
		return err_set(e, -EBADMSG, "the device is not a number");
	h.mode = (uint32_t)mode & 07777;
	h.size = (uint64_t)size;
	parse_names(block, &h);
	*out = h;
	return 0;
}

enum header_kind header_kind(const struct header *h)
{
	switch (h->type) {
	case 'x':
	case 'X': /* Solaris, before pax was standardised */
		return HEADER_PAX;
	case 'g':
		return HEADER_GLOBAL;
	case 'L':
		return HEADER_LONG_NAME;
	case 'K':
		return HEADER_LONG_LINK;
	case 'A': /* Solaris: an ACL */
	case 'N': /* GNU: long names, before L existed */
	case 'V': /* GNU: the label of the volume */
		return HEADER_VENDOR;
	default:
		return HEADER_ENTRY;
	}
}

uint32_t header_file_type(const struct header *h)
{
	switch (h->type) {
	case '2':
		return S_IFLNK;
	case '3':
		return S_IFCHR;
	case '4':
		return S_IFBLK;
	case '5':
	case 'D': /* GNU: its content is the names in it, in incremental dumps */
		return S_IFDIR;
	case '6':
		return S_IFIFO;
	default:
		return S_IFREG;
	}
}

bool header_has_content(const struct header *h)
{
	return h->type < '1' || h->type > '6';
}
