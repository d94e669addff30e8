/* SPDX-License-Identifier: MIT */
#include "tar/toc/flatbuffer.h"

#include <errno.h>

#include "base/num.h"

static bool fb_has(const struct fb_bytes *in, size_t at, size_t len)
{
	return range_fits(at, len, in->len);
}

/* Follows the u32 offset at @at. */
static int fb_follow(const struct fb_bytes *in, size_t at, size_t *out)
{
	uint64_t to;

	if (!fb_has(in, at, 4))
		return -EBADMSG;
	to = (uint64_t)at + get_le32(in->data + at);
	if (to >= in->len)
		return -EBADMSG;
	*out = (size_t)to;
	return 0;
}

static int fb_open_table(const struct fb_bytes *in, size_t at, struct fb_table *out)
{
	struct fb_table t = {.in = in, .at = at};
	int64_t vtable;

	if (!fb_has(in, at, 4))
		return -EBADMSG;
	vtable = (int64_t)at - (int32_t)get_le32(in->data + at);
	if (vtable < 0 || !fb_has(in, (size_t)vtable, 4))
		return -EBADMSG;
	t.vtable = (size_t)vtable;
	t.vtable_len = get_le16(in->data + t.vtable);
	t.len = get_le16(in->data + t.vtable + 2);
	if (t.vtable_len < 4 || t.len < 4 || !fb_has(in, t.vtable, t.vtable_len) ||
	    !fb_has(in, at, t.len))
		return -EBADMSG;
	*out = t;
	return 0;
}

int fb_root(const struct fb_bytes *in, struct fb_table *out)
{
	size_t at;
	int rc = fb_follow(in, 0, &at);

	return rc < 0 ? rc : fb_open_table(in, at, out);
}

/* Finds the field of @size bytes. -ENOENT if it is absent. */
static int fb_find_field(const struct fb_table *t, unsigned slot, size_t size,
			 size_t *out)
{
	size_t entry = 4 + 2 * (size_t)slot;
	uint16_t off;

	if (!range_fits(entry, 2, t->vtable_len))
		return -ENOENT;
	off = get_le16(t->in->data + t->vtable + entry);
	if (off == 0)
		return -ENOENT;
	if (!range_fits(off, size, t->len))
		return -EBADMSG;
	*out = t->at + off;
	return 0;
}

/* Follows the offset in a slot. */
static int fb_find_target(const struct fb_table *t, unsigned slot, size_t *out)
{
	size_t at;
	int rc = fb_find_field(t, slot, 4, &at);

	return rc < 0 ? rc : fb_follow(t->in, at, out);
}

int fb_get_table(const struct fb_table *t, unsigned slot, struct fb_table *out)
{
	size_t at;
	int rc = fb_find_target(t, slot, &at);

	return rc < 0 ? rc : fb_open_table(t->in, at, out);
}

static int fb_open_vector(const struct fb_bytes *in, size_t at, size_t size,
			  struct fb_vector *out)
{
	uint32_t n;

	if (!fb_has(in, at, 4))
		return -EBADMSG;
	n = get_le32(in->data + at);
	if (n > (in->len - at - 4) / size)
		return -EBADMSG;
	*out = (struct fb_vector){.in = in, .at = at + 4, .n = n};
	return 0;
}

int fb_get_vector(const struct fb_table *t, unsigned slot, size_t size,
		  struct fb_vector *out)
{
	size_t at;
	int rc = fb_find_target(t, slot, &at);

	return rc < 0 ? rc : fb_open_vector(t->in, at, size, out);
}

int fb_table_at(const struct fb_vector *v, uint32_t i, struct fb_table *out)
{
	size_t at;
	int rc = i < v->n ? fb_follow(v->in, v->at + 4 * (size_t)i, &at) : -EBADMSG;

	return rc < 0 ? rc : fb_open_table(v->in, at, out);
}

static int fb_open_text(const struct fb_bytes *in, size_t at, const char **text,
			size_t *len)
{
	struct fb_vector v;
	int rc = fb_open_vector(in, at, 1, &v);

	if (rc < 0)
		return rc;
	*text = (const char *)in->data + v.at;
	*len = v.n;
	return 0;
}

int fb_text_at(const struct fb_vector *v, uint32_t i, const char **text, size_t *len)
{
	size_t at;
	int rc = i < v->n ? fb_follow(v->in, v->at + 4 * (size_t)i, &at) : -EBADMSG;

	return rc < 0 ? rc : fb_open_text(v->in, at, text, len);
}

int fb_get_text(const struct fb_table *t, unsigned slot, const char **text, size_t *len)
{
	size_t at;
	int rc = fb_find_target(t, slot, &at);

	if (rc == -ENOENT) {
		*text = "";
		*len = 0;
		return 0;
	}
	return rc < 0 ? rc : fb_open_text(t->in, at, text, len);
}

int fb_get_i64(const struct fb_table *t, unsigned slot, int64_t otherwise, int64_t *out)
{
	size_t at;
	int rc = fb_find_field(t, slot, 8, &at);

	if (rc == 0)
		*out = (int64_t)get_le64(t->in->data + at);
	else if (rc == -ENOENT)
		*out = otherwise;
	return rc == -ENOENT ? 0 : rc;
}

int fb_get_u32(const struct fb_table *t, unsigned slot, uint32_t otherwise, uint32_t *out)
{
	size_t at;
	int rc = fb_find_field(t, slot, 4, &at);

	if (rc == 0)
		*out = get_le32(t->in->data + at);
	else if (rc == -ENOENT)
		*out = otherwise;
	return rc == -ENOENT ? 0 : rc;
}

int fb_get_u8(const struct fb_table *t, unsigned slot, uint8_t otherwise, uint8_t *out)
{
	size_t at;
	int rc = fb_find_field(t, slot, 1, &at);

	if (rc == 0)
		*out = t->in->data[at];
	else if (rc == -ENOENT)
		*out = otherwise;
	return rc == -ENOENT ? 0 : rc;
}
