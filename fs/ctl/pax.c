/* SPDX-License-Identifier: MIT */
/*
 * An entry that ustar.c can format is written here, and all others by libarchive: those with
 * long or foreign names, xattrs or holes. It could write all, but takes 6 us for each
 * header, as long as reading and writing a small file takes.
 *
 * All output is gathered here: short pieces are copied into one buffer, and a long piece is
 * written with what was gathered before it, uncopied.
 *
 * Names are bytes. libarchive turns them into UTF-8 from the charset of the locale, so the
 * locale is C.UTF-8 meanwhile. Names that are not UTF-8 are then stored as they are, with
 * hdrcharset=BINARY. In the C locale all that are not ASCII would be, and GNU tar, which
 * does not know the record, warns of each.
 */
#include "fs/ctl/pax.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>

#include "fs/ctl/ustar.h"

#define GATHER_MAX (256u << 10)
#define LONG_PIECE (64u << 10)
/* As tar(1): 20 blocks. */
#define RECORD 10240
/* Of address space; never written, so it takes no memory. */
#define ZEROS_SIZE (64u << 20)

struct pax {
	int fd;
	struct archive *archive;
	struct archive_entry *entry;
	locale_t locale, locale_before;
	const char *zeros; /* MAP_FAILED before pax_skip() */
	int failed;	   /* the first errno of writing */
	bool is_over;	   /* what libarchive still writes is dropped */
	uint64_t written;  /* gathered or out */

	/* The entry that is begun. */
	const char *name, *link;
	bool is_hardlink;
	bool is_extended; /* xattrs or pieces are in @entry already */
	struct stat attr;

	bool is_raw;   /* the entry whose content is written is not libarchive's */
	uint64_t left; /* of that content */

	size_t gathered;
	char gather[GATHER_MAX];
};

/* OUTPUT */

/* Writes what was gathered, and @len bytes behind it. 0 or a negative errno. */
static int write_out(struct pax *p, const void *data, size_t len)
{
	struct iovec v[2] = {{p->gather, p->gathered}, {(void *)(uintptr_t)data, len}};
	size_t i = 0, done;
	ssize_t n;

	while (i < 2) {
		n = writev(p->fd, v + i, (int)(2 - i));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return p->failed = -errno;
		for (done = (size_t)n; i < 2 && done >= v[i].iov_len; i++)
			done -= v[i].iov_len;
		if (i < 2) {
			v[i].iov_base = (char *)v[i].iov_base + done;
			v[i].iov_len -= done;
		}
	}
	p->gathered = 0;
	return 0;
}

static int put_bytes(struct pax *p, const void *data, size_t len)
{
	p->written += len;
	if (len >= LONG_PIECE || len > GATHER_MAX - p->gathered)
		return write_out(p, data, len);
	memcpy(p->gather + p->gathered, data, len);
	p->gathered += len;
	return 0;
}

/* Zeros up to a multiple of @size, which is less than GATHER_MAX. */
static int put_padding(struct pax *p, size_t size)
{
	size_t len = (size_t)(size - p->written % size) % size;
	int rc = 0;

	if (len > GATHER_MAX - p->gathered)
		rc = write_out(p, NULL, 0);
	if (rc < 0)
		return rc;
	memset(p->gather + p->gathered, 0, len);
	p->gathered += len;
	p->written += len;
	return 0;
}

static la_ssize_t on_output(struct archive *a, void *arg, const void *data, size_t len)
{
	struct pax *p = arg;

	if (p->is_over)
		return (la_ssize_t)len;
	if (put_bytes(p, data, len) < 0) {
		archive_set_error(a, -p->failed, "cannot write");
		return -1;
	}
	return (la_ssize_t)len;
}

/* What a call of libarchive failed with. Warnings are not failures: pax_begin() knows them. */
static int check(struct pax *p, la_ssize_t rc)
{
	int code;

	if (rc >= ARCHIVE_WARN)
		return 0;
	code = archive_errno(p->archive);
	return p->failed ? p->failed : code > 0 ? -code : -EIO;
}

/* LIFE */

static int open_archive(struct pax *p)
{
	struct archive *a = p->archive;

	/* Without blocks of its own: all that it writes comes to on_output() at once. */
	if (archive_write_set_format_pax(a) != ARCHIVE_OK ||
	    archive_write_set_options(a, "pax:xattrheader=SCHILY") != ARCHIVE_OK ||
	    archive_write_set_bytes_per_block(a, 0) != ARCHIVE_OK ||
	    archive_write_open2(a, p, NULL, on_output, NULL, NULL) != ARCHIVE_OK)
		return check(p, ARCHIVE_FATAL);
	return 0;
}

int pax_new(int fd, struct pax **out)
{
	struct pax *p = calloc(1, sizeof(*p));
	int rc = -ENOMEM;

	if (!p)
		return -ENOMEM;
	p->fd = fd;
	p->zeros = MAP_FAILED;
	p->archive = archive_write_new();
	p->entry = archive_entry_new();
	/* Without that locale all names that are not ASCII count as bytes. */
	p->locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	if (p->locale)
		p->locale_before = uselocale(p->locale);
	if (p->archive && p->entry)
		rc = open_archive(p);
	if (rc < 0) {
		pax_free(p);
		return rc;
	}
	/* Fewer turns of this process and the reader; it may be no pipe, or be refused. */
	(void)fcntl(fd, F_SETPIPE_SZ, 1 << 20);
	*out = p;
	return 0;
}

void pax_free(struct pax *p)
{
	if (!p)
		return;
	archive_entry_free(p->entry);
	p->is_over =
		true; /* it ends the archive; after archive_write_fail() it would leak */
	archive_write_free(p->archive);
	if (p->locale) {
		uselocale(p->locale_before);
		freelocale(p->locale);
	}
	if (p->zeros != MAP_FAILED)
		munmap((void *)(uintptr_t)p->zeros, ZEROS_SIZE);
	free(p);
}

/* ENTRIES */

/*
 * libarchive takes a pair of surrogates that are encoded one by one (CESU-8) for UTF-8 and
 * stores the character that they mean: other bytes.
 */
static bool is_kept(const char *s)
{
	for (; (s = strchr(s, 0xed)); s++) {
		const unsigned char *c = (const unsigned char *)s;

		if (c[1] >= 0xa0 && c[1] <= 0xaf && c[2] >= 0x80 && c[3] == 0xed &&
		    c[4] >= 0xb0 && c[4] <= 0xbf)
			return false;
	}
	return true;
}

int pax_begin(struct pax *p, const char *name, const struct stat *st)
{
	if (!is_kept(name))
		return -EILSEQ;
	if (p->is_extended)
		archive_entry_clear(p->entry);
	p->is_extended = false;
	p->name = name;
	p->link = NULL;
	p->is_hardlink = false;
	p->attr = *st;
	if (!S_ISREG(st->st_mode))
		p->attr.st_size = 0;
	archive_entry_set_size(p->entry, p->attr.st_size); /* which bounds the pieces */
	return 0;
}

int pax_set_hardlink(struct pax *p, const char *name)
{
	p->link = name;
	p->is_hardlink = true;
	p->attr.st_size = 0;
	return is_kept(name) ? 0 : -EILSEQ;
}

int pax_set_symlink(struct pax *p, const char *target)
{
	p->link = target;
	return is_kept(target) ? 0 : -EILSEQ;
}

int pax_add_xattr(struct pax *p, const char *name, const void *value, size_t len)
{
	const char *c;

	for (c = name; *c; c++) {
		if (*c < '!' || *c > '~' || *c == '%' || *c == '=')
			return -EILSEQ;
	}
	archive_entry_xattr_add_entry(p->entry, name, value, len);
	p->is_extended = true;
	return 0;
}

void pax_add_piece(struct pax *p, uint64_t off, uint64_t len)
{
	archive_entry_sparse_add_entry(p->entry, (la_int64_t)off, (la_int64_t)len);
	p->is_extended = true;
}

/* Ends the entry before. The archive's own ends with the next header. */
static int end_raw(struct pax *p)
{
	bool was_raw = p->is_raw;

	p->is_raw = false;
	return was_raw ? put_padding(p, USTAR_BLOCK) : 0;
}

/*
 * libarchive writes the seconds, a point and the nanoseconds. The sign holds for both, so a
 * time before 1970 is given as the seconds towards 1970 and the rest. In the last second
 * before it, where that has no sign, the fraction is dropped.
 */
static void set_time(struct archive_entry *e, struct timespec t)
{
	if (t.tv_sec == -1)
		t.tv_nsec = 0;
	if (t.tv_sec < 0 && t.tv_nsec > 0) {
		t.tv_sec++;
		t.tv_nsec = 1000000000 - t.tv_nsec;
	}
	archive_entry_set_mtime(e, t.tv_sec, t.tv_nsec);
}

static int put_extended(struct pax *p)
{
	struct archive_entry *e = p->entry;
	const struct stat *st = &p->attr;
	int rc;

	archive_entry_copy_pathname(e, p->name);
	archive_entry_set_mode(e, st->st_mode);
	archive_entry_set_uid(e, st->st_uid);
	archive_entry_set_gid(e, st->st_gid);
	archive_entry_set_size(e, st->st_size);
	set_time(e, st->st_mtim);
	archive_entry_set_rdevmajor(e, major(st->st_rdev));
	archive_entry_set_rdevminor(e, minor(st->st_rdev));
	if (p->is_hardlink)
		archive_entry_copy_hardlink(e, p->link);
	else if (p->link)
		archive_entry_copy_symlink(e, p->link);
	rc = check(p, archive_write_header(p->archive, e));
	archive_entry_clear(e);
	p->is_extended = false;
	return rc;
}

int pax_put(struct pax *p)
{
	char header[USTAR_MAX];
	size_t len = 0;
	int rc = end_raw(p);

	if (rc < 0)
		return rc;
	if (!p->is_extended)
		len = ustar_format(p->name, &p->attr, p->link, p->is_hardlink, header);
	if (len == 0)
		return put_extended(p);
	/* Between two headers of its own libarchive does not look at what was written. */
	rc = check(p, archive_write_finish_entry(p->archive));
	if (rc == 0)
		rc = put_bytes(p, header, len);
	p->is_raw = true;
	p->left = (uint64_t)p->attr.st_size;
	return rc;
}

static int write_extended(struct pax *p, const char *data, size_t len)
{
	la_ssize_t n;

	while (len > 0) {
		n = archive_write_data(p->archive, data, len);
		if (n <= 0)
			return n < 0 ? check(p, n) : -EIO; /* more than the header said */
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

int pax_write(struct pax *p, const void *data, size_t len)
{
	if (!p->is_raw)
		return write_extended(p, data, len);
	if (len > p->left)
		return -EIO;
	p->left -= len;
	return put_bytes(p, data, len);
}

int pax_skip(struct pax *p, uint64_t len)
{
	size_t n;
	int rc = 0;

	if (len > 0 && p->zeros == MAP_FAILED)
		p->zeros = mmap(NULL, ZEROS_SIZE, PROT_READ,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (len > 0 && p->zeros == MAP_FAILED)
		return -ENOMEM;
	for (; rc == 0 && len > 0; len -= n) {
		n = len < ZEROS_SIZE ? (size_t)len : ZEROS_SIZE;
		rc = pax_write(p, p->zeros, n);
	}
	return rc;
}

int pax_end(struct pax *p)
{
	int rc = end_raw(p);

	if (rc == 0)
		rc = check(p, archive_write_close(p->archive));
	if (rc == 0)
		rc = put_padding(p, RECORD);
	return rc < 0 ? rc : write_out(p, NULL, 0);
}
