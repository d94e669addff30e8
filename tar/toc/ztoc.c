/* SPDX-License-Identifier: MIT */
/*
 * The tables of the FlatBuffer, slot by slot:
 *
 *	Ztoc		version, build tool, compressed size, decompressed size, TOC,
 *			CompressionInfo
 *	TOC		[FileMetadata]
 *	FileMetadata	name, type, offset of the content in the tar, size, link, mode,
 *			uid, gid, user, group, time, dev major, dev minor, [Xattr]
 *	Xattr		key, value: all pax records of the entry, unchanged
 *	CompressionInfo	algorithm (1 gzip, 2 none), last span's number,
 *			[digest of a span's compressed bytes], checkpoints
 *
 * The checkpoints, packed and little-endian:
 *
 *	i32 number of spans, i64 intended bytes of output of each
 *	for each:  i64 in, i64 out, u8 bits, u8 window[32768]
 *
 * `in` is the first whole byte of a block. `bits` of its first bits are in the byte
 * before, which belongs to this span and to the one before. The oldest form omits the
 * first checkpoint; it is at byte 10, where a gzip header without any field ends. Without
 * compression the checkpoints are another FlatBuffer, {version, bytes of a span, size},
 * and each span has that many bytes.
 */
#include "tar/toc/ztoc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/digest.h"
#include "base/err.h"
#include "base/num.h"
#include "base/rfc3339.h"
#include "base/source.h"
#include "tar/archive/entry.h"
#include "tar/archive/pax.h"
#include "tar/codec/span.h"
#include "tar/codec/window.h"
#include "tar/index/tree.h"
#include "tar/toc/blob_reader.h"
#include "tar/toc/flatbuffer.h"

enum { ZTOC_COMPRESSED_SIZE = 2, ZTOC_SIZE = 3, ZTOC_TOC = 4, ZTOC_INFO = 5 };
enum { TOC_METADATA = 0 };
enum {
	FILE_NAME,
	FILE_TYPE,
	FILE_OFFSET,
	FILE_SIZE,
	FILE_LINK,
	FILE_MODE,
	FILE_UID,
	FILE_GID,
	FILE_TIME = 10,
	FILE_MAJOR,
	FILE_MINOR,
	FILE_XATTRS
};
enum { INFO_ALGORITHM, INFO_LAST, INFO_DIGESTS, INFO_CHECKPOINTS };
enum { PLAIN_SPAN_SIZE = 1 };

#define ALGORITHM_GZIP	1
#define ALGORITHM_PLAIN 2

#define POINTS_HEAD 12
#define POINT_LEN   (8 + 8 + 1 + INFLATE_WINDOW)
#define GZIP_HEAD   10 /* without optional fields */

struct ztoc {
	const struct blob_reader *reader;
	struct tree *tree;
	struct err *e;
	uint64_t blob_size;
	uint64_t size;	    /* decoded */
	uint64_t last_data; /* where the content of the entry before ends */
	struct fb_vector digests;
	struct tar_xattr xattrs[PAX_MAX_XATTRS];
	char *names; /* their names, each with a NUL: PAX_MAX_XATTR_NAMES bytes */
};

static int ztoc_corrupt(struct ztoc *z, const char *what)
{
	return err_set(z->e, -EBADMSG, "its SOCI index has %s", what);
}

/* Entries */

static int take_xattr(struct ztoc *z, const struct fb_table *x, size_t *n, size_t *used)
{
	static const char schily[] = "SCHILY.xattr.", libarchive[] = "LIBARCHIVE.xattr.",
			  sparse[] = "GNU.sparse.";
	size_t len, value_len, skip = sizeof(schily) - 1;
	const char *key, *value;

	if (fb_get_text(x, 0, &key, &len) < 0 ||
	    fb_get_text(x, 1, &value, &value_len) < 0)
		return ztoc_corrupt(z, "an xattr that cannot be read");
	if ((len >= sizeof(sparse) - 1 && memcmp(key, sparse, sizeof(sparse) - 1) == 0) ||
	    (len >= sizeof(libarchive) - 1 &&
	     memcmp(key, libarchive, sizeof(libarchive) - 1) == 0))
		return err_set(z->e, -ENOTSUP,
			       "its SOCI index has %.*s records, which it does not "
			       "explain",
			       (int)strcspn(key, "."), key);
	if (len < skip || memcmp(key, schily, skip) != 0)
		return 0;
	key += skip;
	len -= skip;
	if (len == 0 || len > PAX_MAX_XATTR_NAME || memchr(key, '\0', len) ||
	    value_len > PAX_MAX_XATTR_VALUE || *n == PAX_MAX_XATTRS ||
	    *used + len + 1 > PAX_MAX_XATTR_NAMES)
		return ztoc_corrupt(z, "xattrs that no file can have");
	memcpy(z->names + *used, key, len);
	z->names[*used + len] = '\0';
	z->xattrs[(*n)++] = (struct tar_xattr){z->names + *used, value, value_len};
	*used += len + 1;
	return 0;
}

static int take_xattrs(struct ztoc *z, const struct fb_table *file, struct tar_entry *te)
{
	size_t n = 0, used = 0;
	struct fb_vector list;
	struct fb_table x;
	uint32_t i;
	int rc = fb_get_vector(file, FILE_XATTRS, 4, &list);

	if (rc == -ENOENT)
		return 0;
	for (i = 0; rc == 0 && i < list.n; i++) {
		rc = fb_table_at(&list, i, &x);
		if (rc == 0)
			rc = take_xattr(z, &x, &n, &used);
	}
	if (rc == -EBADMSG)
		return ztoc_corrupt(z, "xattrs that cannot be read");
	te->xattrs = z->xattrs;
	te->n_xattrs = n;
	return rc;
}

static int take_type(struct ztoc *z, const char *type, size_t len, struct tar_entry *te)
{
	static const struct {
		const char *name;
		uint32_t mode;
	} types[] = {
		{"reg", S_IFREG},      {"dir", S_IFDIR},  {"symlink", S_IFLNK},
		{"hardlink", S_IFREG}, {"char", S_IFCHR}, {"block", S_IFBLK},
		{"fifo", S_IFIFO},
	};
	size_t i;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (strlen(types[i].name) == len &&
		    memcmp(types[i].name, type, len) == 0) {
			te->mode = types[i].mode;
			te->is_hardlink = type[0] == 'h';
			return 0;
		}
	}
	return err_set(z->e, -ENOTSUP, "its SOCI index has an entry of the type %.*s",
		       len > 32 ? 32 : (int)len, type);
}

static int take_numbers(struct ztoc *z, const struct fb_table *file, struct tar_entry *te)
{
	int64_t mode, off, size, major, minor;

	if (fb_get_i64(file, FILE_MODE, 0, &mode) < 0 ||
	    fb_get_i64(file, FILE_OFFSET, 0, &off) < 0 ||
	    fb_get_i64(file, FILE_SIZE, 0, &size) < 0 ||
	    fb_get_i64(file, FILE_MAJOR, 0, &major) < 0 ||
	    fb_get_i64(file, FILE_MINOR, 0, &minor) < 0 ||
	    fb_get_u32(file, FILE_UID, 0, &te->uid) < 0 ||
	    fb_get_u32(file, FILE_GID, 0, &te->gid) < 0)
		return ztoc_corrupt(z, "an entry that cannot be read");
	te->mode |= (uint32_t)mode & 07777;
	if (S_ISCHR(te->mode) || S_ISBLK(te->mode)) {
		te->rdev_major = (uint32_t)major;
		te->rdev_minor = (uint32_t)minor;
	}
	if (!S_ISREG(te->mode) || te->is_hardlink || size == 0)
		return 0;
	if (off < 0 || size < 0 || !range_fits((uint64_t)off, (uint64_t)size, z->size))
		return ztoc_corrupt(z, "a file that is not in the layer");
	if ((uint64_t)off < z->last_data)
		return err_set(z->e, -ENOTSUP,
			       "its SOCI index is not in the order of the layer");
	z->last_data = (uint64_t)off + (uint64_t)size;
	te->data = (uint64_t)off;
	te->size = te->stored = (uint64_t)size;
	return 0;
}

static int take_file(struct ztoc *z, const struct fb_table *file)
{
	struct tar_entry te = {0};
	const char *type, *time;
	size_t type_len, time_len;
	uint32_t number;
	int rc;

	if (fb_get_text(file, FILE_NAME, &te.path, &te.path_len) < 0 ||
	    fb_get_text(file, FILE_TYPE, &type, &type_len) < 0 ||
	    fb_get_text(file, FILE_LINK, &te.link, &te.link_len) < 0 ||
	    fb_get_text(file, FILE_TIME, &time, &time_len) < 0)
		return ztoc_corrupt(z, "an entry that cannot be read");
	if (memchr(te.path, '\0', te.path_len) || memchr(te.link, '\0', te.link_len))
		return ztoc_corrupt(z, "a name with a NUL");
	if (time_len > 0 && !rfc3339_parse(time, time_len, &te.mtime, &te.mtime_ns))
		return ztoc_corrupt(z, "an invalid time");
	rc = take_type(z, type, type_len, &te);
	if (rc == 0)
		rc = take_numbers(z, file, &te);
	if (rc == 0)
		rc = take_xattrs(z, file, &te);
	if (!S_ISLNK(te.mode) && !te.is_hardlink)
		te.link = NULL;
	if (rc == 0)
		rc = tree_add(z->tree, &te, &number, z->e);
	return rc == -E2BIG ? err_prefix(z->e, rc, "its table of contents") : rc;
}

static int take_files(struct ztoc *z, const struct fb_table *root)
{
	struct fb_table toc, file;
	struct fb_vector list;
	uint32_t i;
	int rc;

	if (fb_get_table(root, ZTOC_TOC, &toc) < 0)
		return ztoc_corrupt(z, "no table of contents");
	rc = fb_get_vector(&toc, TOC_METADATA, 4, &list);
	if (rc == -ENOENT)
		return 0;
	if (rc < 0)
		return ztoc_corrupt(z, "a list of entries that cannot be read");
	for (i = 0; rc == 0 && i < list.n; i++) {
		if (fb_table_at(&list, i, &file) < 0)
			return ztoc_corrupt(z, "an entry that cannot be read");
		rc = take_file(z, &file);
	}
	return rc;
}

/* Spans */

static int add_span(struct ztoc *z, uint32_t i, struct span *sp)
{
	struct digest digest;
	const char *text;
	size_t len;

	if (fb_text_at(&z->digests, i, &text, &len) < 0 ||
	    digest_parse(text, len, &digest) < 0 || digest.alg != DIGEST_SHA256)
		return ztoc_corrupt(z, "no SHA-256 of a span");
	memcpy(sp->digest, digest.bytes, sizeof(sp->digest));
	if (!span_is_sane(sp, z->blob_size))
		return ztoc_corrupt(z, "an invalid span");
	return tree_add_span(z->tree, sp);
}

/* A checkpoint of the gzip stream. */
struct point {
	uint64_t in;	/* including the byte before, if bits of it are needed */
	uint64_t whole; /* the first whole byte */
	uint64_t out;
	unsigned bits;
	const uint8_t *window; /* NULL if none is needed */
};

struct points {
	const uint8_t *data;
	uint32_t n;
	bool has_first; /* else the first checkpoint is omitted */
};

static struct point point_at(const struct points *ps, uint32_t i)
{
	struct point p = {.in = GZIP_HEAD, .whole = GZIP_HEAD};
	const uint8_t *at;

	if (!ps->has_first && i == 0)
		return p;
	at = ps->data + POINTS_HEAD + (size_t)(i - !ps->has_first) * POINT_LEN;
	p.whole = get_le64(at);
	p.out = get_le64(at + 8);
	p.bits = at[16];
	p.in = p.whole - (p.bits > 0);
	p.window = p.out > 0 ? at + 17 : NULL;
	return p;
}

static int open_points(struct ztoc *z, const struct fb_vector *bytes, struct points *out)
{
	const uint8_t *data = bytes->in->data + bytes->at;
	uint64_t n;
	uint8_t head[GZIP_HEAD];
	int rc;

	if (bytes->n < POINTS_HEAD)
		return ztoc_corrupt(z, "no checkpoints");
	n = get_le32(data);
	if (n == 0 || n != z->digests.n)
		return ztoc_corrupt(z, "another number of checkpoints than of spans");
	*out = (struct points){.data = data, .n = (uint32_t)n, .has_first = true};
	if (bytes->n == POINTS_HEAD + n * POINT_LEN)
		return 0;
	if (bytes->n != POINTS_HEAD + (n - 1) * POINT_LEN)
		return ztoc_corrupt(z, "checkpoints of a wrong length");
	out->has_first = false;
	rc = z->blob_size < GZIP_HEAD
		     ? -EBADMSG
		     : blob_reader_read(z->reader, head, GZIP_HEAD, 0, z->e);
	if (rc == 0 && head[3] != 0)
		return err_set(z->e, -ENOTSUP,
			       "its SOCI index begins where the gzip header does not "
			       "end");
	return rc;
}

static int add_deflate(struct ztoc *z, uint32_t i, const struct point *p, uint64_t in_end,
		       uint64_t out_end)
{
	struct span sp = {
		.kind = SPAN_DEFLATE,
		.bits = p->bits ? (uint8_t)(8 - p->bits) : 0,
		.in = p->in,
		.in_len = in_end - p->in,
		.out = p->out,
		.out_len = out_end - p->out,
	};
	uint8_t *packed = NULL;
	struct window *w;
	int rc;

	if (!p->window)
		return add_span(z, i, &sp);
	w = malloc(sizeof(*w));
	packed = malloc(WINDOW_PACKED_MAX);
	rc = w && packed ? 0 : -ENOMEM;
	if (rc == 0) {
		w->len = p->out < INFLATE_WINDOW ? (size_t)p->out : INFLATE_WINDOW;
		memcpy(w->bytes, p->window + INFLATE_WINDOW - w->len, w->len);
		sp.window = packed;
		rc = window_pack(w, packed, &sp.window_len);
	}
	if (rc == 0)
		rc = add_span(z, i, &sp);
	free(w);
	free(packed);
	return rc;
}

/*
 * The index may end before the stream does, because its maker stops at the end of the
 * archive. The spans behind that are not needed.
 */
static int take_gzip(struct ztoc *z, const struct fb_vector *bytes)
{
	struct points ps = {0};
	uint32_t i;
	int rc = open_points(z, bytes, &ps);

	for (i = 0; rc == 0 && i < ps.n; i++) {
		struct point p = point_at(&ps, i),
			     next = {.whole = z->blob_size, .out = z->size};

		if (i + 1 < ps.n)
			next = point_at(&ps, i + 1);
		if (p.bits > 7 || p.whole < (p.bits > 0) || next.whole <= p.whole ||
		    next.whole > z->blob_size || (i == 0 && p.out > 0))
			return ztoc_corrupt(z, "checkpoints that do not ascend");
		if (p.out >= z->size)
			break;
		if (next.out > z->size)
			next.out = z->size;
		if (next.out <= p.out)
			return ztoc_corrupt(z, "checkpoints that do not ascend");
		rc = add_deflate(z, i, &p, next.whole, next.out);
	}
	return rc;
}

static int take_plain(struct ztoc *z, const struct fb_vector *bytes)
{
	const struct fb_bytes in = {bytes->in->data + bytes->at, bytes->n};
	struct fb_table info;
	uint64_t off;
	uint32_t i = 0;
	int64_t step;
	int rc = 0;

	if (fb_root(&in, &info) < 0 || fb_get_i64(&info, PLAIN_SPAN_SIZE, 0, &step) < 0 ||
	    step <= 0 || step > SPAN_OUT_MAX || z->size > z->blob_size)
		return ztoc_corrupt(z, "no size of spans");
	for (off = 0; rc == 0 && off < z->blob_size; off += (uint64_t)step) {
		uint64_t len = z->blob_size - off < (uint64_t)step ? z->blob_size - off
								   : (uint64_t)step;
		struct span sp = {
			.kind = SPAN_PLAIN,
			.in = off,
			.in_len = len,
			.out = off,
			.out_len = len,
		};

		rc = add_span(z, i++, &sp);
	}
	z->size = z->blob_size; /* the bytes behind the archive are there, too */
	return rc;
}

static int take_spans(struct ztoc *z, const struct fb_table *root,
		      enum compression *compression)
{
	struct fb_table info;
	struct fb_vector points;
	uint8_t algorithm;
	uint32_t last;

	if (fb_get_table(root, ZTOC_INFO, &info) < 0 ||
	    fb_get_u8(&info, INFO_ALGORITHM, ALGORITHM_GZIP, &algorithm) < 0 ||
	    fb_get_u32(&info, INFO_LAST, 0, &last) < 0 ||
	    fb_get_vector(&info, INFO_DIGESTS, 4, &z->digests) < 0 ||
	    fb_get_vector(&info, INFO_CHECKPOINTS, 1, &points) < 0)
		return ztoc_corrupt(z, "no spans");
	if (z->digests.n == 0 || last != z->digests.n - 1)
		return ztoc_corrupt(z, "another number of spans than of digests");
	if (algorithm == ALGORITHM_GZIP) {
		*compression = COMPRESSION_GZIP;
		return take_gzip(z, &points);
	}
	if (algorithm != ALGORITHM_PLAIN)
		return err_set(z->e, -ENOTSUP,
			       "its SOCI index has an unknown compression");
	*compression = COMPRESSION_PLAIN;
	return take_plain(z, &points);
}

int ztoc_parse(const void *data, size_t len, const struct blob_reader *r,
	       struct tree *tree, struct ztoc_facts *out, struct err *e)
{
	const struct fb_bytes in = {data, len};
	struct ztoc *z = calloc(1, sizeof(*z));
	struct fb_table root;
	int64_t blob_size, size;
	int rc;

	if (!z)
		return -ENOMEM;
	z->reader = r;
	z->tree = tree;
	z->e = e;
	z->blob_size = r->blob->size;
	z->names = malloc(PAX_MAX_XATTR_NAMES);
	rc = z->names ? 0 : -ENOMEM;
	if (rc == 0 && (fb_root(&in, &root) < 0 ||
			fb_get_i64(&root, ZTOC_COMPRESSED_SIZE, 0, &blob_size) < 0 ||
			fb_get_i64(&root, ZTOC_SIZE, 0, &size) < 0 || size < 0))
		rc = ztoc_corrupt(z, "no header");
	if (rc == 0 && (uint64_t)blob_size != z->blob_size)
		rc = ztoc_corrupt(z, "the size of another layer");
	if (rc == 0) {
		z->size = (uint64_t)size;
		rc = take_spans(z, &root, &out->compression);
	}
	if (rc == 0)
		rc = take_files(z, &root);
	if (rc == 0)
		out->decoded_size = z->size;
	free(z->names);
	free(z);
	return rc;
}

int ztoc_read(struct source *ztoc, const struct digest *want, const struct blob_reader *r,
	      struct tree *tree, struct ztoc_facts *out, struct err *e)
{
	const struct blob_reader whole = {ztoc, r->cancelled, r->bytes, r->store};
	struct digest have;
	char *data;
	int rc;

	if (ztoc->size > ZTOC_SIZE_MAX)
		return err_set(e, -E2BIG, "its SOCI index has more than %u MiB",
			       ZTOC_SIZE_MAX >> 20);
	data = malloc((size_t)ztoc->size + 1);
	if (!data)
		return -ENOMEM;
	rc = blob_reader_read(&whole, data, (size_t)ztoc->size, 0, e);
	if (rc == 0)
		rc = digest_of(want->alg, data, (size_t)ztoc->size, &have);
	if (rc == 0 && !digest_equal(&have, want))
		rc = err_set(e, -EBADMSG, "its SOCI index has the wrong digest");
	if (rc == 0)
		rc = ztoc_parse(data, (size_t)ztoc->size, r, tree, out, e);
	free(data);
	return rc;
}
