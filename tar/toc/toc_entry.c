/* SPDX-License-Identifier: MIT */
#include "tar/toc/toc_entry.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/base64.h"
#include "base/err.h"
#include "base/json.h"
#include "base/rfc3339.h"

/* Longer texts cannot be in a tree. tree.c has the exact limits and reports them. */
#define TEXT_MAX  (64 * 1024)
#define BYTES_MAX (4u << 20) /* names and values of one entry, still in base64 */

enum form { UNKNOWN, TEXT, NUMBER, SMALL, TIME, TYPE, DIGEST, CHUNK_TYPE, XATTRS };

static const struct field {
	const char *key;
	enum form form;
	size_t at; /* offset in struct toc_entry */
} fields[] = {
	{"", UNKNOWN, 0},
	{"name", TEXT, offsetof(struct toc_entry, name)},
	{"type", TYPE, offsetof(struct toc_entry, type)},
	{"size", NUMBER, offsetof(struct toc_entry, size)},
	{"modtime", TIME, 0},
	{"linkName", TEXT, offsetof(struct toc_entry, link)},
	{"mode", SMALL, offsetof(struct toc_entry, mode)},
	{"uid", SMALL, offsetof(struct toc_entry, uid)},
	{"gid", SMALL, offsetof(struct toc_entry, gid)},
	{"devMajor", SMALL, offsetof(struct toc_entry, dev_major)},
	{"devMinor", SMALL, offsetof(struct toc_entry, dev_minor)},
	{"xattrs", XATTRS, 0},
	{"digest", DIGEST, offsetof(struct toc_entry, digest)},
	{"offset", NUMBER, offsetof(struct toc_entry, offset)},
	{"innerOffset", NUMBER, offsetof(struct toc_entry, inner_offset)},
	{"endOffset", NUMBER, offsetof(struct toc_entry, end_offset)},
	{"chunkOffset", NUMBER, offsetof(struct toc_entry, chunk_offset)},
	{"chunkSize", NUMBER, offsetof(struct toc_entry, chunk_size)},
	{"chunkDigest", DIGEST, offsetof(struct toc_entry, chunk_digest)},
	{"chunkType", CHUNK_TYPE, 0},
};

static const char *const type_names[] = {
	[TOC_NONE] = "",	   [TOC_DIR] = "dir",		[TOC_REG] = "reg",
	[TOC_SYMLINK] = "symlink", [TOC_HARDLINK] = "hardlink", [TOC_CHAR] = "char",
	[TOC_BLOCK] = "block",	   [TOC_FIFO] = "fifo",		[TOC_CHUNK] = "chunk",
};

void toc_entry_init(struct toc_entry *t)
{
	memset(t, 0, sizeof(*t));
	buf_init(&t->name, TEXT_MAX);
	buf_init(&t->link, TEXT_MAX);
	buf_init(&t->bytes, BYTES_MAX);
}

void toc_entry_release(struct toc_entry *t)
{
	buf_release(&t->name);
	buf_release(&t->link);
	buf_release(&t->bytes);
}

void toc_entry_clear(struct toc_entry *t)
{
	struct buf name = t->name, link = t->link, bytes = t->bytes;

	memset(t, 0, offsetof(struct toc_entry, xattrs));
	t->name = name;
	t->link = link;
	t->bytes = bytes;
	buf_clear(&t->name);
	buf_clear(&t->link);
	buf_clear(&t->bytes);
}

static bool is_word(const char *word, const char *text, size_t len)
{
	return strlen(word) == len && memcmp(word, text, len) == 0;
}

static int field_find(const char *key, size_t len)
{
	size_t i;

	for (i = 1; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (strlen(fields[i].key) == len &&
		    strncasecmp(fields[i].key, key, len) == 0)
			return (int)i;
	}
	return 0;
}

static int wrong_form(const struct field *f, struct err *e)
{
	return err_set(e, -EBADMSG, "its table of contents has an invalid %s", f->key);
}

/*
 * The writers of these tables replace bytes that are not UTF-8 by U+FFFD. Then the name
 * is lost, and only the tar has it.
 */
static int check_text(const char *text, size_t len, struct err *e)
{
	if (memmem(text, len, "\xef\xbf\xbd", 3))
		return err_set(e, -ENOTSUP,
			       "its table of contents has lost bytes of a name");
	if (memchr(text, '\0', len))
		return err_set(e, -EBADMSG,
			       "its table of contents has a name with a NUL");
	return 0;
}

static int take_text(struct buf *to, const struct json_event *ev, struct err *e)
{
	int rc = check_text(ev->text, ev->len, e);

	buf_clear(to);
	if (rc == 0)
		rc = buf_append(to, ev->text, ev->len);
	if (rc == -E2BIG)
		err_set(e, rc, "its table of contents has a name of %zu bytes", ev->len);
	return rc;
}

static int take_type(struct toc_entry *t, const struct json_event *ev, struct err *e)
{
	size_t i;

	for (i = 0; i < sizeof(type_names) / sizeof(type_names[0]); i++) {
		if (is_word(type_names[i], ev->text, ev->len)) {
			t->type = (enum toc_type)i;
			return 0;
		}
	}
	return err_set(e, -ENOTSUP, "its table of contents has an entry of the type %.*s",
		       ev->len > 32 ? 32 : (int)ev->len, ev->text);
}

/*
 * "" means absent. Only SHA-256 is accepted, because a span cannot check another
 * algorithm.
 */
static int take_digest(struct digest *to, const struct field *f,
		       const struct json_event *ev, struct err *e)
{
	*to = (struct digest){0};
	if (ev->len == 0)
		return 0;
	if (digest_parse(ev->text, ev->len, to) < 0 || to->alg != DIGEST_SHA256)
		return wrong_form(f, e);
	return 0;
}

static int take_string(struct toc_entry *t, const struct field *f,
		       const struct json_event *ev, struct err *e)
{
	void *to = (char *)t + f->at;

	switch (f->form) {
	case TEXT:
		return take_text(to, ev, e);
	case TYPE:
		return take_type(t, ev, e);
	case DIGEST:
		return take_digest(to, f, ev, e);
	case TIME:
		if (ev->len == 0 ||
		    rfc3339_parse(ev->text, ev->len, &t->mtime, &t->mtime_ns))
			return 0;
		return wrong_form(f, e);
	case CHUNK_TYPE:
		t->is_zeros = is_word("zeros", ev->text, ev->len);
		if (t->is_zeros || ev->len == 0)
			return 0;
		return err_set(e, -ENOTSUP,
			       "its table of contents has a chunk of the type %.*s",
			       ev->len > 32 ? 32 : (int)ev->len, ev->text);
	default:
		return wrong_form(f, e);
	}
}

static int take_number(struct toc_entry *t, const struct field *f,
		       const struct json_event *ev, struct err *e)
{
	void *to = (char *)t + f->at;

	if (!ev->is_whole || ev->number < 0 || (f->form != NUMBER && f->form != SMALL) ||
	    (f->form == SMALL && ev->number > UINT32_MAX))
		return wrong_form(f, e);
	if (f->form == SMALL)
		*(uint32_t *)to = (uint32_t)ev->number;
	else
		*(uint64_t *)to = (uint64_t)ev->number;
	return 0;
}

static int too_many_xattrs(struct err *e)
{
	return err_set(e, -E2BIG,
		       "its table of contents has more xattrs than a file can have");
}

static int take_xattr_name(struct toc_entry *t, const struct json_event *ev,
			   struct err *e)
{
	int rc = check_text(ev->text, ev->len, e);

	if (rc < 0)
		return rc;
	if (ev->len == 0)
		return err_set(e, -EBADMSG,
			       "its table of contents has an xattr without a name");
	t->names_len += ev->len + 1;
	if (t->n_xattrs == PAX_MAX_XATTRS || ev->len > PAX_MAX_XATTR_NAME ||
	    t->names_len > PAX_MAX_XATTR_NAMES)
		return too_many_xattrs(e);
	t->xattrs[t->n_xattrs] = (struct toc_xattr){.name = t->bytes.len};
	rc = buf_append(&t->bytes, ev->text, ev->len);
	if (rc == 0)
		rc = buf_append(&t->bytes, "", 1);
	return rc == -E2BIG ? too_many_xattrs(e) : rc;
}

/* The later of two equal names wins. */
static int take_xattr_value(struct toc_entry *t, const struct json_event *ev,
			    struct err *e)
{
	struct toc_xattr *x = &t->xattrs[t->n_xattrs];
	size_t i, len = ev->len;
	int rc;

	if (ev->kind != JSON_EVENT_VALUE || ev->type != JSON_STRING)
		return err_set(e, -EBADMSG,
			       "its table of contents has an xattr that is not a string");
	x->value = t->bytes.len;
	rc = buf_append(&t->bytes, ev->text, ev->len);
	if (rc < 0)
		return rc == -E2BIG ? too_many_xattrs(e) : rc;
	if (!base64_decode(t->bytes.data + x->value, &len))
		return err_set(e, -EBADMSG,
			       "its table of contents has an xattr that is not base64");
	if (len > PAX_MAX_XATTR_VALUE)
		return too_many_xattrs(e);
	x->len = len;
	t->bytes.len = x->value + len;
	for (i = 0; i < t->n_xattrs; i++) {
		if (strcmp(t->bytes.data + t->xattrs[i].name, t->bytes.data + x->name) ==
		    0) {
			t->xattrs[i] = *x;
			return 0;
		}
	}
	t->n_xattrs++;
	return 0;
}

int toc_reader_take(struct toc_reader *r, const struct json_event *ev, size_t depth,
		    struct err *e)
{
	const struct field *f = &fields[r->field];

	if (ev->depth == depth && ev->kind == JSON_EVENT_KEY) {
		r->field = field_find(ev->text, ev->len);
		return 0;
	}
	if (f->form == UNKNOWN || (ev->kind == JSON_EVENT_VALUE && ev->type == JSON_NULL))
		return 0;
	if (f->form == XATTRS) {
		if (ev->depth == depth && ev->type == JSON_OBJECT)
			return 0;
		if (ev->depth == depth + 1 && ev->kind == JSON_EVENT_KEY)
			return take_xattr_name(r->entry, ev, e);
		return ev->depth == depth + 1 ? take_xattr_value(r->entry, ev, e)
					      : wrong_form(f, e);
	}
	if (ev->kind == JSON_EVENT_VALUE && ev->type == JSON_STRING)
		return take_string(r->entry, f, ev, e);
	if (ev->kind == JSON_EVENT_VALUE && ev->type == JSON_NUMBER)
		return take_number(r->entry, f, ev, e);
	return wrong_form(f, e);
}
