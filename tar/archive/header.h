/* SPDX-License-Identifier: MIT */
/*
 * Parser of one 512-byte tar header. reader.c handles what lies between headers: long
 * names, pax records, content.
 *
 * The forms are v7, ustar (POSIX.1-1988), star and old GNU. Nothing is allocated or
 * copied: the texts of a parsed header point into its block.
 */
#ifndef TAR_ARCHIVE_HEADER_H
#define TAR_ARCHIVE_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

#define HEADER_SIZE 512

/* The purpose of a header. */
enum header_kind {
	HEADER_ENTRY,	  /* a file of any type */
	HEADER_PAX,	  /* records for the next entry */
	HEADER_GLOBAL,	  /* records for all that follow */
	HEADER_LONG_NAME, /* GNU: the path of the next entry */
	HEADER_LONG_LINK, /* GNU: the link of the next entry */
	HEADER_VENDOR,	  /* not a file; skipped */
};

struct header {
	char type; /* the flag as written */
	bool is_gnu;
	uint32_t mode; /* 07777 at most */
	int64_t uid;   /* as written, in any range: pax may override them */
	int64_t gid;
	uint64_t size; /* at most INT64_MAX */
	int64_t mtime;
	int64_t dev_major; /* 0 unless it is a device */
	int64_t dev_minor;
	const char *name; /* points into the block; no NUL */
	size_t name_len;
	/* precedes the name, with a '/' between them, if prefix_len > 0 */
	const char *prefix;
	size_t prefix_len;
	const char *link;
	size_t link_len;
};

/* Two zero blocks end an archive. */
bool header_is_zero(const uint8_t block[HEADER_SIZE]);

/* -EBADMSG for a wrong checksum or a field that is not a number. */
int header_parse(const uint8_t block[HEADER_SIZE], struct header *out, struct err *e);

enum header_kind header_kind(const struct header *h);

/*
 * Returns the S_IFMT bits. An unknown flag means a regular file (POSIX, ustar interchange
 * format). A hard link counts as a regular file, too: the type is that of its target.
 */
uint32_t header_file_type(const struct header *h);

/* Is an entry of this kind followed by content of its size? */
bool header_has_content(const struct header *h);

/*
 * Parses a number field of at most 12 bytes: octal digits between blanks or NULs, where
 * no digits mean 0, or GNU's base-256. Returns false and leaves *out unchanged for
 * anything else and for a number that does not fit.
 */
bool header_number(const uint8_t *field, size_t len, int64_t *out);

#endif
