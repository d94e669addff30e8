/* SPDX-License-Identifier: MIT */
/*
 * The reader is a state machine over the pieces that it is fed:
 *
 *	AT_HEADER  --entry-->  (maps)  -->  IN_CONTENT  -->  IN_PADDING  --> AT_HEADER
 *		   --x g L K->  IN_META  ------------------>  IN_PADDING
 *		   --vendor-->  IN_SKIPPED  --------------->  IN_PADDING
 *		   --2 zero blocks-->  AT_END
 *
 * Headers and the blocks of sparse maps are parsed whole: in the piece if they lie inside
 * it, else gathered in `block`. Content is never gathered. An entry is reported when all
 * of it but the content is known, so after the sparse maps between header and content.
 * The header has to outlive its piece then, so it is copied. An ordinary entry is not
 * copied and costs no allocation.
 *
 * Headers that describe the next entry (x, L, K) are collected in one buffer each, of at
 * most 1 MiB. The last of a kind counts, so any number of them in a row is fine. A global
 * header has its own buffer and does not affect the others.
 */
#include "tar/archive/reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/source.h"
#include "tar/archive/header.h"
#include "tar/archive/member.h"
#include "tar/archive/pax.h"
#include "tar/archive/sparse.h"

/* Bytes read at once by a scan: several headers if the files are small. */
#define SCAN_PIECE 4096

#define PATH_TEXT_MAX 128 /* of a path in an error message */

enum state {
	AT_HEADER,
	IN_META,	/* the body of x, g, L or K */
	IN_SKIPPED,	/* the body of a skipped header */
	IN_GNU_MAP,	/* blocks that continue an old GNU map */
	IN_CONTENT_MAP, /* a map of form 1.0 at the start of the content */
	IN_CONTENT,
	IN_PADDING,
	AT_END,
};

struct reader {
	const struct reader_ops *ops;
	void *arg;
	enum state state;
	uint64_t pos;	    /* offset of the next byte in the archive */
	uint64_t left;	    /* bytes of this state still to come */
	uint64_t header_at; /* offset of the last header, for messages */
	unsigned zero_blocks;
	size_t gathered; /* bytes in `block` */
	uint8_t block[HEADER_SIZE];
	uint8_t sparse_header[HEADER_SIZE]; /* the header of a sparse entry */

	struct buf *meta; /* the buffer being filled */
	struct buf pax_body;
	struct buf global_body;
	struct buf long_name;
	struct buf long_link;
	bool is_pending; /* there are records for the next entry */
	struct pax pax;
	struct sparse_map map;

	struct tar_entry entry;
	uint64_t unused; /* bytes of content that are not part of the entry */
	char joined[MEMBER_PATH_MAX];
	char path_text[PATH_TEXT_MAX];
};

int reader_new(const struct reader_ops *ops, void *arg, struct reader **out)
{
	struct reader *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->ops = ops;
	r->arg = arg;
	buf_init(&r->pax_body, PAX_MAX_BODY);
	buf_init(&r->global_body, PAX_MAX_BODY);
	buf_init(&r->long_name, PAX_MAX_BODY);
	buf_init(&r->long_link, PAX_MAX_BODY);
	sparse_init(&r->map);
	*out = r;
	return 0;
}

void reader_free(struct reader *r)
{
	if (!r)
		return;
	buf_release(&r->pax_body);
	buf_release(&r->global_body);
	buf_release(&r->long_name);
	buf_release(&r->long_link);
	sparse_release(&r->map);
	free(r);
}

/* Prefixes the message with the place in the archive. */
static int err_locate(const struct reader *r, int rc, struct err *e)
{
	if (r->path_text[0])
		return err_prefix(e, rc, "tar entry \"%s\" at byte %llu", r->path_text,
				  (unsigned long long)r->header_at);
	return err_prefix(e, rc, "tar header at byte %llu",
			  (unsigned long long)r->header_at);
}

/* Content, bodies and maps are padded to a multiple of the block size. */
static void begin_padding(struct reader *r)
{
	r->left = -r->pos % HEADER_SIZE;
	r->state = r->left > 0 ? IN_PADDING : AT_HEADER;
}

static void begin_skipping(struct reader *r, uint64_t size)
{
	r->left = size;
	r->state = IN_SKIPPED;
	if (size == 0)
		begin_padding(r);
}

/* Records apply to one entry only. */
static void forget_pending(struct reader *r)
{
	if (!r->is_pending)
		return;
	pax_clear(&r->pax);
	buf_clear(&r->long_name);
	buf_clear(&r->long_link);
	r->is_pending = false;
}

static int end_meta(struct reader *r, struct err *e)
{
	struct buf *b = r->meta;
	struct pax_record record;
	size_t pos = 0;
	int rc = 0;

	begin_padding(r);
	if (b == &r->global_body) {
		/*
		 * Not applied, but the rest of the archive is read only if these records
		 * are valid.
		 */
		do {
			rc = pax_next(b->data, b->len, &pos, &record, e);
		} while (rc > 0);
		return rc;
	}
	r->is_pending = true;
	if (b == &r->pax_body)
		rc = pax_parse(&r->pax, b->data, b->len, &r->map, e);
	return rc;
}

static int begin_meta(struct reader *r, struct buf *b, uint64_t size, struct err *e)
{
	if (size > PAX_MAX_BODY)
		return err_set(e, -E2BIG,
			       "an extended header of %llu bytes, more than %u",
			       (unsigned long long)size, PAX_MAX_BODY);
	buf_clear(b);
	r->meta = b;
	r->left = size;
	r->state = IN_META;
	return size > 0 ? 0 : end_meta(r, e);
}

/* The map is complete. Returns 1: the entry can be reported. */
static int end_map(struct reader *r, struct err *e)
{
	struct tar_entry *t = &r->entry;
	int rc = sparse_check(&r->map, t->size, t->stored, e);

	if (rc < 0)
		return rc;
	t->is_sparse = true;
	t->extents = r->map.extents;
	t->n_extents = r->map.n;
	return 1;
}

static int begin_gnu_map(struct reader *r, const struct header *h, const uint8_t *block,
			 struct err *e)
{
	int64_t size;
	int rc;

	if (!h->is_gnu)
		return err_set(e, -ENOTSUP,
			       "sparse files in star's format are not supported");
	if (!header_number(block + 483, 12, &size) || size < 0)
		return err_set(e, -EBADMSG,
			       "the size of the sparse file is not a number");
	r->entry.size = (uint64_t)size;
	sparse_clear(&r->map);
	rc = sparse_add_gnu(&r->map, block + 386, 4, e);
	if (rc < 0)
		return rc;
	if (block[482] == 0)
		return end_map(r, e);
	r->state = IN_GNU_MAP;
	return 0;
}

/* 21 pairs, and at offset 504 a flag: another block follows. */
static int take_gnu_map(struct reader *r, const uint8_t *block, struct err *e)
{
	int rc = sparse_add_gnu(&r->map, block, 21, e);

	if (rc < 0)
		return rc;
	return block[504] ? 0 : end_map(r, e);
}

static int need_map_block(struct reader *r, struct err *e)
{
	if (r->entry.stored < HEADER_SIZE)
		return err_set(e, -EBADMSG, "the content ends inside its sparse map");
	return 0;
}

static int take_content_map(struct reader *r, const uint8_t *block, struct err *e)
{
	int rc = sparse_feed(&r->map, block, HEADER_SIZE, e);

	if (rc < 0)
		return rc;
	r->entry.stored -= HEADER_SIZE;
	return rc > 0 ? end_map(r, e) : need_map_block(r, e);
}

static int begin_pax_map(struct reader *r, struct err *e)
{
	const struct pax *p = &r->pax;
	const struct pax_number *size = &p->sparse_size;
	bool in_content = p->sparse_major.is_set && p->sparse_major.value == 1;

	if (p->sparse_major.value > 1 || p->sparse_minor.value > !in_content)
		return err_set(e, -ENOTSUP,
			       "sparse files of format %llu.%llu are not supported",
			       (unsigned long long)p->sparse_major.value,
			       (unsigned long long)p->sparse_minor.value);
	if (!size->is_set)
		size = &p->sparse_realsize;
	if (!size->is_set)
		return err_set(e, -EBADMSG, "the sparse file has no size");
	r->entry.size = size->value;
	if (!in_content)
		return end_map(r, e);
	sparse_clear(&r->map);
	r->state = IN_CONTENT_MAP;
	return need_map_block(r, e);
}

/* Copies the path for messages: it may be gone with its piece when one is needed. */
static void note_path(struct reader *r)
{
	size_t len = r->entry.path_len;

	if (len >= PATH_TEXT_MAX)
		len = PATH_TEXT_MAX - 1;
	memcpy(r->path_text, r->entry.path, len);
	r->path_text[len] = '\0';
}

static uint64_t content_size(const struct reader *r, const struct header *h)
{
	return r->pax.size.is_set ? r->pax.size.value : h->size;
}

/* Starts an entry. Returns 1 if it can be reported, 0 if more must be read first. */
static int begin_entry(struct reader *r, const struct header *h, const uint8_t *block,
		       struct err *e)
{
	struct member m = {
		.header = h,
		.pax = &r->pax,
		.long_name = buf_text(&r->long_name),
		.long_link = buf_text(&r->long_link),
	};
	int rc;

	r->entry = (struct tar_entry){0};
	r->unused = h->type == 'D' ? content_size(r, h) : 0;
	member_names(&m, r->joined, &r->entry);
	note_path(r);
	rc = member_stat(&m, &r->entry, e);
	if (rc < 0)
		return rc;
	if (!S_ISREG(r->entry.mode) || r->entry.is_hardlink || r->entry.is_fragment)
		return 1;
	if (r->pax.holes.data)
		return err_set(e, -ENOTSUP,
			       "sparse files in Solaris' format are not supported");
	if (h->type == 'S')
		return begin_gnu_map(r, h, block, e);
	return pax_is_sparse(&r->pax) ? begin_pax_map(r, e) : 1;
}

static int take_header(struct reader *r, const uint8_t *block, struct err *e)
{
	struct header h;
	int rc;

	if (header_is_zero(block)) {
		/*
		 * A single zero block is odd, but the archive goes on after it (as for
		 * GNU tar).
		 */
		if (++r->zero_blocks == 2)
			r->state = AT_END;
		return 0;
	}
	r->zero_blocks = 0;
	r->header_at = r->pos - HEADER_SIZE;
	r->path_text[0] = '\0';
	if (block[156] == 'S' || pax_is_sparse(&r->pax))
		block = memcpy(r->sparse_header, block, HEADER_SIZE);
	rc = header_parse(block, &h, e);
	if (rc < 0)
		return rc;
	switch (header_kind(&h)) {
	case HEADER_PAX:
		return begin_meta(r, &r->pax_body, h.size, e);
	case HEADER_GLOBAL:
		return begin_meta(r, &r->global_body, h.size, e);
	case HEADER_LONG_NAME:
		return begin_meta(r, &r->long_name, h.size, e);
	case HEADER_LONG_LINK:
		return begin_meta(r, &r->long_link, h.size, e);
	case HEADER_VENDOR:
		begin_skipping(r, content_size(r, &h));
		forget_pending(r);
		return 0;
	case HEADER_ENTRY:
		break;
	}
	return begin_entry(r, &h, block, e);
}

static int report_entry(struct reader *r)
{
	int rc;

	r->entry.data = r->pos;
	rc = r->ops->entry(r->arg, &r->entry);
	if (rc < 0)
		return rc;
	forget_pending(r);
	r->left = r->entry.stored;
	r->state = IN_CONTENT;
	if (r->left == 0)
		begin_skipping(r, r->unused);
	return 0;
}

static int reader_take_block(struct reader *r, const uint8_t *block, struct err *e)
{
	int rc;

	if (r->state == AT_HEADER)
		rc = take_header(r, block, e);
	else if (r->state == IN_GNU_MAP)
		rc = take_gnu_map(r, block, e);
	else
		rc = take_content_map(r, block, e);
	if (rc < 0)
		return err_locate(r, rc, e);
	return rc > 0 ? report_entry(r) : 0;
}

/*
 * reader_feed_block() and reader_feed_bytes() use at least one byte of the piece, and
 * return how many.
 */
static ssize_t reader_feed_block(struct reader *r, const uint8_t *data, size_t len,
				 struct err *e)
{
	size_t used = HEADER_SIZE - r->gathered;
	int rc;

	if (used == HEADER_SIZE && len >= HEADER_SIZE) {
		r->pos += used;
		rc = reader_take_block(r, data, e);
		return rc < 0 ? rc : (ssize_t)used;
	}
	if (used > len)
		used = len;
	memcpy(r->block + r->gathered, data, used);
	r->gathered += used;
	r->pos += used;
	if (r->gathered < HEADER_SIZE)
		return (ssize_t)used;
	r->gathered = 0;
	rc = reader_take_block(r, r->block, e);
	return rc < 0 ? rc : (ssize_t)used;
}

static ssize_t reader_feed_bytes(struct reader *r, const uint8_t *data, size_t len,
				 struct err *e)
{
	size_t used = len < r->left ? len : (size_t)r->left;
	int rc = 0;

	r->left -= used;
	r->pos += used;
	if (r->state == IN_META) {
		rc = buf_append(r->meta, data, used);
		if (rc < 0)
			err_set(e, rc, "out of memory");
		else if (r->left == 0)
			rc = end_meta(r, e);
		if (rc < 0)
			return err_locate(r, rc, e);
		return (ssize_t)used;
	}
	if (r->state == IN_CONTENT && r->ops->content)
		rc = r->ops->content(r->arg, data, used);
	if (rc < 0)
		return rc;
	if (r->left == 0)
		begin_padding(r);
	return (ssize_t)used;
}

int reader_feed(struct reader *r, const void *data, size_t len, struct err *e)
{
	const uint8_t *p = data;
	ssize_t used;

	while (len > 0 && r->state != AT_END) {
		if (r->state == AT_HEADER || r->state == IN_GNU_MAP ||
		    r->state == IN_CONTENT_MAP)
			used = reader_feed_block(r, p, len, e);
		else
			used = reader_feed_bytes(r, p, len, e);
		if (used < 0)
			return (int)used;
		p += used;
		len -= (size_t)used;
	}
	return 0;
}

int reader_finish(struct reader *r, struct err *e)
{
	bool is_between = r->state == AT_HEADER || r->state == IN_PADDING;

	if (r->state == AT_END || (is_between && r->gathered == 0 && !r->is_pending))
		return 0;
	if (!is_between)
		err_set(e, -EBADMSG, "the archive ends inside it, at byte %llu",
			(unsigned long long)r->pos);
	else if (r->gathered == 0)
		err_set(e, -EBADMSG,
			"the archive ends before the entry that this header describes");
	else
		return err_set(e, -EBADMSG,
			       "the tar archive ends inside a header, at byte %llu",
			       (unsigned long long)r->pos);
	return err_locate(r, -EBADMSG, e);
}

/* Skips content and padding, up to the end of the file. Returns false in other states. */
static bool skip_content(struct reader *r, uint64_t file_size)
{
	uint64_t len = file_size - r->pos;

	if (r->state != IN_CONTENT && r->state != IN_PADDING && r->state != IN_SKIPPED)
		return false;
	if (len > r->left)
		len = r->left;
	r->pos += len;
	r->left -= len;
	if (r->left == 0)
		begin_padding(r);
	return true;
}

static int scan_pieces(struct reader *r, struct source *file, struct err *e)
{
	uint8_t piece[SCAN_PIECE];
	ssize_t n = 1;
	int rc = 0;

	while (rc == 0 && n > 0 && r->state != AT_END && r->pos < file->size) {
		if (skip_content(r, file->size))
			continue;
		n = source_pread(file, piece, sizeof(piece), r->pos, e);
		rc = n < 0 ? (int)n : reader_feed(r, piece, (size_t)n, e);
	}
	return rc < 0 ? rc : reader_finish(r, e);
}

int reader_scan(struct source *file, reader_entry_fn *entry, void *arg, struct err *e)
{
	const struct reader_ops ops = {.entry = entry};
	struct reader *r = NULL;
	int rc = reader_new(&ops, arg, &r);

	if (rc < 0)
		return err_set(e, rc, "out of memory");
	rc = scan_pieces(r, file, e);
	reader_free(r);
	return rc;
}
