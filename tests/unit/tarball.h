/* SPDX-License-Identifier: MIT */
/*
 * Builds tar archives for tests: make a header, overwrite fields of it, and append it
 * with its checksum.
 */
#ifndef TESTS_UNIT_TARBALL_H
#define TESTS_UNIT_TARBALL_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "tar/archive/header.h"

static inline void archive_init(struct buf *a)
{
	buf_init(a, 64 << 20);
}

/* Without memory for its input, a test is skipped. */
static inline void archive_add(struct buf *a, const void *data, size_t len)
{
	if (buf_append(a, data, len) < 0)
		exit(77);
}

static inline void archive_zeros(struct buf *a, size_t len)
{
	static const char zeros[HEADER_SIZE];

	for (; len > sizeof(zeros); len -= sizeof(zeros))
		archive_add(a, zeros, sizeof(zeros));
	archive_add(a, zeros, len);
}

/* A field of a header: its offset and length. */
#define AT_MODE	    100, 8
#define AT_UID	    108, 8
#define AT_GID	    116, 8
#define AT_SIZE	    124, 12
#define AT_MTIME    136, 12
#define AT_MAJOR    329, 8
#define AT_MINOR    337, 8
#define AT_REALSIZE 483, 12

static inline void header_octal(uint8_t *h, size_t at, size_t len, unsigned long long v)
{
	char text[32];

	snprintf(text, sizeof(text), "%0*llo", (int)len - 1, v);
	memcpy(h + at, text, len);
}

static inline void header_base256(uint8_t *h, size_t at, size_t len, int64_t v)
{
	while (len-- > 0) {
		h[at + len] = (uint8_t)v;
		v >>= 8;
	}
	h[at] |= 0x80;
}

/* ustar, mode 0644, owner 0, time 0. */
static inline void header_make(uint8_t *h, const char *name, char type,
			       unsigned long long size)
{
	memset(h, 0, HEADER_SIZE);
	memcpy(h, name, strnlen(name, 100));
	header_octal(h, AT_MODE, 0644);
	header_octal(h, AT_UID, 0);
	header_octal(h, AT_GID, 0);
	header_octal(h, AT_SIZE, size);
	header_octal(h, AT_MTIME, 0);
	h[156] = (uint8_t)type;
	memcpy(h + 257, "ustar\00000", 8);
}

static inline void header_gnu(uint8_t *h)
{
	memcpy(h + 257, "ustar  ", 8);
}

static inline void header_sum(uint8_t *h)
{
	unsigned sum = 0;
	size_t i;

	memset(h + 148, ' ', 8);
	for (i = 0; i < HEADER_SIZE; i++)
		sum += h[i];
	snprintf((char *)h + 148, 8, "%06o", sum);
}

static inline void archive_header(struct buf *a, uint8_t *h)
{
	header_sum(h);
	archive_add(a, h, HEADER_SIZE);
}

/* Content and its padding. */
static inline void archive_content(struct buf *a, const void *data, size_t len)
{
	archive_add(a, data, len);
	archive_zeros(a, -len % HEADER_SIZE);
}

static inline void archive_entry(struct buf *a, const char *name, char type,
				 const char *content)
{
	uint8_t h[HEADER_SIZE];

	header_make(h, name, type, strlen(content));
	archive_header(a, h);
	archive_content(a, content, strlen(content));
}

/* Appends "LEN KEY=VALUE\n" to a body of records. */
static inline void pax_add(struct buf *body, const char *key, const void *value,
			   size_t len)
{
	size_t rest = strlen(key) + len + 3, total = rest + 1;
	char head[32];

	while ((size_t)snprintf(head, sizeof(head), "%zu", total) + rest != total)
		total++;
	archive_add(body, head, strlen(head));
	archive_add(body, " ", 1);
	archive_add(body, key, strlen(key));
	archive_add(body, "=", 1);
	archive_add(body, value, len);
	archive_add(body, "\n", 1);
}

static inline void pax_add_text(struct buf *body, const char *key, const char *value)
{
	pax_add(body, key, value, strlen(value));
}

/* Appends the body as an extended header of @type, and clears it. */
static inline void archive_meta(struct buf *a, char type, struct buf *body)
{
	uint8_t h[HEADER_SIZE];

	header_make(h, "meta", type, body->len);
	archive_header(a, h);
	if (body->len > 0)
		archive_content(a, body->data, body->len);
	buf_clear(body);
}

/* One record, one header. */
static inline void archive_pax(struct buf *a, const char *key, const char *value)
{
	struct buf body;

	archive_init(&body);
	pax_add_text(&body, key, value);
	archive_meta(a, 'x', &body);
	buf_release(&body);
}

static inline void archive_end(struct buf *a)
{
	archive_zeros(a, 2 * HEADER_SIZE);
}

#endif
