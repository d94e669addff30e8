/* SPDX-License-Identifier: MIT */
/*
 * A reader of FlatBuffers in place, for untrusted bytes: the part of the format that a
 * zTOC needs. Every offset is checked against the available bytes. What points outside or
 * overlaps the end is absent or -EBADMSG, and is never read.
 *
 * Numbers are little-endian. At byte 0 is the offset of the root table. A table begins
 * with an i32, which is subtracted from the table's offset to get that of its vtable:
 *
 *	u16 bytes of the vtable, u16 bytes of the table, u16 offset in the table for each
 *	slot; 0 or no slot: the default
 *
 * A string, vector or table in a slot is a u32 offset from there. Strings and vectors are
 * a u32 count and the elements.
 */
#ifndef TAR_TOC_FLATBUFFER_H
#define TAR_TOC_FLATBUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The buffer, borrowed. */
struct fb_bytes {
	const uint8_t *data;
	size_t len;
};

/* A table: its offset and that of its vtable. */
struct fb_table {
	const struct fb_bytes *in;
	size_t at;
	size_t vtable;
	uint16_t vtable_len;
	uint16_t len;
};

struct fb_vector {
	const struct fb_bytes *in;
	size_t at; /* of the first element */
	uint32_t n;
};

/* These calls return 0 or -EBADMSG, and -ENOENT for an absent table or vector. */
int fb_root(const struct fb_bytes *in, struct fb_table *out);
int fb_get_table(const struct fb_table *t, unsigned slot, struct fb_table *out);
/* @size is that of an element. All elements are inside the buffer. */
int fb_get_vector(const struct fb_table *t, unsigned slot, size_t size,
		  struct fb_vector *out);

/* Gets element @i of a vector of tables or strings. */
int fb_table_at(const struct fb_vector *v, uint32_t i, struct fb_table *out);
int fb_text_at(const struct fb_vector *v, uint32_t i, const char **text, size_t *len);

/* Gets a string, not NUL-terminated; "" if absent. */
int fb_get_text(const struct fb_table *t, unsigned slot, const char **text, size_t *len);

/* Get a number; @otherwise if absent. */
int fb_get_i64(const struct fb_table *t, unsigned slot, int64_t otherwise, int64_t *out);
int fb_get_u32(const struct fb_table *t, unsigned slot, uint32_t otherwise,
	       uint32_t *out);
int fb_get_u8(const struct fb_table *t, unsigned slot, uint8_t otherwise, uint8_t *out);

#endif
