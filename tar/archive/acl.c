/* SPDX-License-Identifier: MIT */
/*
 * The value (linux/posix_acl_xattr.h), in little endian:
 *
 *	version[4] = 2, then for each entry: tag[2] permissions[2] id[4]
 *
 * It is made in place. Entries with an id have at least 8 bytes of text with their separator,
 * and the others, at least 6, are four at most: so the value never overtakes the text.
 */
#include "tar/archive/acl.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"

#define NO_ID UINT32_MAX

enum {
	ACL_USER_OBJ = 1,
	ACL_USER = 2,
	ACL_GROUP_OBJ = 4,
	ACL_GROUP = 8,
	ACL_MASK = 16,
	ACL_OTHER = 32
};

#define ENTRY_LEN 8

struct acl_entry {
	uint16_t tag;
	uint16_t perm;
	uint32_t id;
};

static bool field_is(const char *text, size_t len, const char *word)
{
	return (len == strlen(word) || len == 1) && memcmp(text, word, len) == 0;
}

static uint16_t parse_tag(const char *text, size_t len, bool has_id)
{
	if (field_is(text, len, "user"))
		return has_id ? ACL_USER : ACL_USER_OBJ;
	if (field_is(text, len, "group"))
		return has_id ? ACL_GROUP : ACL_GROUP_OBJ;
	if (has_id)
		return 0;
	if (field_is(text, len, "mask"))
		return ACL_MASK;
	return field_is(text, len, "other") ? ACL_OTHER : 0;
}

static bool parse_permissions(const char *text, size_t len, uint16_t *out)
{
	static const char letters[] = "rwx";
	size_t i;

	*out = 0;
	for (i = 0; i < len && i < 3; i++) {
		if (text[i] == letters[i])
			*out |= (uint16_t)(4 >> i);
		else if (text[i] != '-')
			return false;
	}
	return len == 3;
}

/* TAG:[NAME or ID]:rwx[:ID] */
static bool parse_entry(const char *text, size_t len, struct acl_entry *out)
{
	const char *field[4], *end = text + len;
	size_t n, lens[4] = {0};
	uint64_t id = NO_ID;

	for (n = 0; n < 4; n++) {
		const char *colon = memchr(text, ':', (size_t)(end - text));

		field[n] = text;
		lens[n] = (size_t)((colon ? colon : end) - text);
		if (!colon)
			break;
		text = colon + 1;
	}
	if (n < 2 || n == 4)
		return false;
	out->tag = parse_tag(field[0], lens[0], lens[1] > 0);
	if (out->tag == 0 || !parse_permissions(field[2], lens[2], &out->perm))
		return false;
	/* The number is behind the name, or in its place. */
	n = n == 3 && lens[3] > 0 ? 3 : 1;
	if (lens[1] > 0 && !num_parse(field[n], lens[n], NO_ID - 1, &id))
		return false;
	out->id = (uint32_t)id;
	return true;
}

static void put_entry(char *to, const struct acl_entry *e)
{
	const uint16_t halves[2] = {htole16(e->tag), htole16(e->perm)};
	const uint32_t id = htole32(e->id);

	memcpy(to, halves, sizeof(halves));
	memcpy(to + sizeof(halves), &id, sizeof(id));
}

static int compare_entries(const void *a, const void *b)
{
	uint64_t x = (uint64_t)get_le16(a) << 32 | get_le32((const char *)a + 4);
	uint64_t y = (uint64_t)get_le16(b) << 32 | get_le32((const char *)b + 4);

	return x < y ? -1 : x > y;
}

/* As the kernel checks it: the three that a mode has, and a mask if there are others. */
static bool acl_is_whole(const char *entries, size_t n)
{
	const unsigned basic = ACL_USER_OBJ | ACL_GROUP_OBJ | ACL_OTHER;
	unsigned tags = 0;
	size_t i;

	for (i = 0; i < n; i++, entries += ENTRY_LEN) {
		if (i > 0 && compare_entries(entries - ENTRY_LEN, entries) == 0)
			return false;
		tags |= get_le16(entries);
	}
	return (tags & basic) == basic &&
	       (!(tags & (ACL_USER | ACL_GROUP)) || (tags & ACL_MASK));
}

bool acl_pack(char *buf, size_t room, size_t *len)
{
	static const char version[4] = {2};
	const char *text = buf + room, *end = text + *len;
	struct acl_entry e;
	char *to = buf + sizeof(version);
	unsigned seen = 0;
	size_t n = 0;

	if (room < ACL_ROOM)
		return false;
	while (text < end) {
		const char *stop = text;

		while (stop < end && *stop != ',' && *stop != '\n')
			stop++;
		if (stop > text) {
			if (!parse_entry(text, (size_t)(stop - text), &e) ||
			    (e.id == NO_ID && (seen & e.tag)))
				return false;
			seen |= e.tag;
			put_entry(to + n++ * ENTRY_LEN, &e);
		}
		text = stop + 1;
	}
	memcpy(buf, version, sizeof(version));
	qsort(to, n, ENTRY_LEN, compare_entries);
	*len = sizeof(version) + n * ENTRY_LEN;
	return acl_is_whole(to, n);
}
