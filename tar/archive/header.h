/* SPDX-License-Identifier: MIT */
/*
 * One 512-byte tar header: is it one, and what does it say. What goes on between
 * headers (long names, pax records, content) is reader.c's.
 *
 * v7, ustar (POSIX.1-1988), star and old GNU. Nothing is allocated or copied: the
 * texts of a parsed header point into its block.
 */
#ifndef TAR_ARCHIVE_HEADER_H
#define TAR_ARCHIVE_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

#define HEADER_SIZE 512

/* What a header is for. */
enum header_kind {
	HEADER_ENTRY,	  /* a file of any type */
	HEADER_PAX,	  /* records for the next entry */
	HEADER_GLOBAL,	  /* records for all that follow */
	HEADER_LONG_NAME, /* GNU: the path of the next entry */
	HEADER_LONG_LINK, /* GNU: the link of the next entry */
	HEADER_VENDOR,	  /* not a file, and nothing to know: passed over */
};

struct header {
	char type; /* the flag as written */
	bool is_gnu;
	uint32_t mode; /* 07777 at most */
	int64_t uid;   /* ids are as written, in any range: pax may overrule them */
	int64_t gid;
	uint64_t size; /* at most INT64_MAX */
	int64_t mtime;
	int64_t dev_major; /* of a device, else 0 */
	int64_t dev_minor;
	const char *name; /* lent from the block, without NUL */
	size_t name_len;
	/* comes before the name, with a '/' between, if prefix_len */
	const char *prefix;
	size_t prefix_len;
	const char *link;
	size_t link_len;
};

/* Two such blocks end an archive. */
bool header_is_zero(const uint8_t block[HEADER_SIZE]);

/* -EBADMSG for a wrong checksum or a field that holds no number. */
int header_parse(const uint8_t block[HEADER_SIZE], struct header *out, struct err *e);

enum header_kind header_kind(const struct header *h);

/*
 * The S_IFMT bits. A flag that nobody knows is a regular file (POSIX, ustar
 * interchange format), a hard link too: what it links to is another entry's matter.
 */
uint32_t header_file_type(const struct header *h);

/* Does content follow an entry of this kind, as its size says? */
bool header_has_content(const struct header *h);

/*
 * A number field of at most 12 bytes: octal digits between blanks or NULs, none at
 * all being 0, or GNU's base-256. false, and *out untouched, for anything else and
 * for what does not fit.
 */
bool header_number(const uint8_t *field, size_t len, int64_t *out);

#endif
