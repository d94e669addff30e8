/* SPDX-License-Identifier: MIT */
/*
 * The members are listed once, by their headers: 512 bytes each, the data is stepped
 * over. Names come from the ustar fields, from GNU's long names ("L", "K") and from pax
 * records (path, linkpath, size); what else tar can say does not matter for finding
 * bytes. Layers inside are read by tar/, not here: this knows only the outermost shell.
 *
 * `docker save` writes a layer that occurs twice as a link to the first.
 */
#include "registry/disk/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/num.h"
#include "base/source.h"
#include "registry/disk/file.h"

#define BLOCK 512
/* An image has some layers; an archive of many images some thousands. */
#define MEMBERS_MAX 100000
/* Of a long name or a set of pax records. */
#define META_MAX  (1u << 20)
#define LINKS_MAX 8

struct member {
	char *name; /* without "./" */
	char *link; /* of a link: its target's name in the archive */
	uint64_t off, size;
};

struct archive {
	struct source *file;
	struct member *list;
	size_t n;
};

/* What was said before a header about the member that follows. */
struct ahead {
	char *name, *link;
	bool has_size;
	uint64_t size;
};

static int out_of_memory(struct err *e)
{
	return err_set(e, -ENOMEM, "out of memory");
}

static void ahead_release(struct ahead *h)
{
	free(h->name);
	free(h->link);
	*h = (struct ahead){0};
}

/* Header fields */

/* Octal, or base-256 with the top bit set. */
static bool take_number(const unsigned char *field, size_t len, uint64_t *out)
{
	uint64_t v = 0;
	size_t i = 0;

	if (field[0] & 0x80) {
		for (i = 1; i < len; i++) {
			if (v >> 55)
				return false;
			v = v << 8 | field[i];
		}
		*out = v;
		return field[0] == 0x80;
	}
	while (i < len && field[i] == ' ')
		i++;
	for (; i < len && field[i] >= '0' && field[i] <= '7'; i++) {
		if (v >> 60)
			return false;
		v = v << 3 | (uint64_t)(field[i] - '0');
	}
	*out = v;
	return i == len || field[i] == ' ' || field[i] == '\0';
}

static bool checksum_holds(const unsigned char *h)
{
	uint64_t said, sum = 0;
	size_t i;

	for (i = 0; i < BLOCK; i++)
		sum += i >= 148 && i < 156 ? ' ' : h[i];
	return take_number(h + 148, 8, &said) && said == sum;
}

static bool is_zero(const unsigned char *h)
{
	size_t i;

	for (i = 0; i < BLOCK; i++) {
		if (h[i])
			return false;
	}
	return true;
}

/* prefix/name of ustar; other formats have no prefix. */
static char *header_name(const unsigned char *h)
{
	int name = (int)strnlen((const char *)h, 100);
	int prefix = memcmp(h + 257, "ustar\0", 6)
			     ? 0
			     : (int)strnlen((const char *)h + 345, 155);
	char *out = malloc((size_t)name + (size_t)prefix + 2);

	if (out)
		sprintf(out, "%.*s%s%.*s", prefix, (const char *)h + 345,
			prefix ? "/" : "", name, (const char *)h);
	return out;
}

/* What comes before a header */

static int read_meta(struct archive *a, uint64_t off, uint64_t size, char **out,
		     struct err *e)
{
	int rc;

	if (size > META_MAX)
		return err_set(e, -E2BIG, "a name of %llu bytes",
			       (unsigned long long)size);
	*out = malloc((size_t)size + 1);
	if (!*out)
		return out_of_memory(e);
	rc = source_read_all(a->file, *out, (size_t)size, off, e);
	(*out)[rc < 0 ? 0 : size] = '\0';
	return rc;
}

static int set_text(char **to, const char *text, size_t len)
{
	free(*to);
	*to = strndup(text, len);
	return *to ? 0 : -ENOMEM;
}

/* "LEN KEY=VALUE\n" (pax): LEN counts all of it. */
static int take_record(struct ahead *h, const char *record, size_t len)
{
	const char *eq = memchr(record, '=', len);
	size_t key, value;

	if (!eq)
		return -EBADMSG;
	key = (size_t)(eq - record);
	value = len - key - 1;
	if (key == 4 && memcmp(record, "path", 4) == 0)
		return set_text(&h->name, eq + 1, value);
	if (key == 8 && memcmp(record, "linkpath", 8) == 0)
		return set_text(&h->link, eq + 1, value);
	if (key == 4 && memcmp(record, "size", 4) == 0) {
		h->has_size = num_parse(eq + 1, value, INT64_MAX, &h->size);
		return h->has_size ? 0 : -EBADMSG;
	}
	return 0;
}

static int take_records(struct ahead *h, const char *text, size_t len)
{
	uint64_t whole;
	int rc = 0;

	while (len > 0 && rc == 0) {
		const char *space = memchr(text, ' ', len);
		size_t digits = space ? (size_t)(space - text) : 0;

		if (!space || !num_parse(text, digits, len, &whole) ||
		    whole < digits + 2 || text[whole - 1] != '\n')
			return -EBADMSG;
		rc = take_record(h, space + 1, (size_t)whole - digits - 2);
		text += whole;
		len -= (size_t)whole;
	}
	return rc;
}

static int take_ahead(struct archive *a, char type, uint64_t off, uint64_t size,
		      struct ahead *h, struct err *e)
{
	char *text = NULL;
	int rc = read_meta(a, off, size, &text, e);

	if (rc == 0 && type == 'L')
		rc = set_text(&h->name, text, strlen(text));
	else if (rc == 0 && type == 'K')
		rc = set_text(&h->link, text, strlen(text));
	else if (rc == 0)
		rc = take_records(h, text, (size_t)size);
	free(text);
	if (rc == -EBADMSG)
		err_set(e, rc, "bad pax records at byte %llu", (unsigned long long)off);
	return rc;
}

/* The list */

static const char *without_dot(const char *name)
{
	while (strncmp(name, "./", 2) == 0)
		name += 2;
	return name;
}

/* A symlink's target, from the member's own folder: "../ID/layer.tar". */
static char *resolve_link(const char *member, const char *target)
{
	const char *slash = strrchr(member, '/');
	size_t folder = slash ? (size_t)(slash - member) : 0;
	char *out;

	while (strncmp(target, "../", 3) == 0 || strncmp(target, "./", 2) == 0) {
		if (target[1] == '.') {
			while (folder > 0 && member[folder - 1] != '/')
				folder--;
			if (folder > 0)
				folder--;
		}
		target = strchr(target, '/') + 1;
	}
	out = malloc(folder + strlen(target) + 2);
	if (out)
		sprintf(out, "%.*s%s%s", (int)folder, member, folder ? "/" : "", target);
	return out;
}

static int add_member(struct archive *a, const unsigned char *h, uint64_t off,
		      uint64_t size, struct ahead *ahead, struct err *e)
{
	struct member *m;
	char *name = ahead->name ? strdup(ahead->name) : header_name(h);
	char *target = ahead->link ? strdup(ahead->link)
				   : strndup((const char *)h + 157, 100);
	char type = (char)h[156];

	if (a->n == MEMBERS_MAX) {
		free(name);
		free(target);
		return err_set(e, -E2BIG, "more than %d members", MEMBERS_MAX);
	}
	if (!name || !target || array_grow(&a->list, a->n, sizeof(*a->list)) < 0) {
		free(name);
		free(target);
		return out_of_memory(e);
	}
	m = &a->list[a->n++];
	*m = (struct member){.off = off, .size = size, .name = strdup(without_dot(name))};
	if (type == '1')
		m->link = strdup(without_dot(target));
	else if (type == '2')
		m->link = resolve_link(without_dot(name), target);
	free(name);
	free(target);
	return m->name && (m->link || (type != '1' && type != '2')) ? 0
								    : out_of_memory(e);
}

/* One header and where the next is. 1, 0 at the end, or an error. */
static int take_header(struct archive *a, uint64_t *off, struct ahead *ahead,
		       struct err *e)
{
	unsigned char h[BLOCK];
	uint64_t size, data;
	bool is_ahead;
	int rc;

	if (*off == a->file->size)
		return 0; /* an end without zero blocks is an end too */
	rc = source_read_all(a->file, h, BLOCK, *off, e);
	if (rc < 0)
		return rc;
	if (is_zero(h))
		return 0;
	if (!checksum_holds(h) || !take_number(h + 124, 12, &size))
		return err_set(e, -EBADMSG, "no tar header at byte %llu",
			       (unsigned long long)*off);
	data = *off + BLOCK;
	is_ahead = strchr("LKx", (char)h[156]) && h[156];
	if (!is_ahead && ahead->has_size)
		size = ahead->size;
	if (strchr("123456", (char)h[156]) && h[156])
		/* links, devices and folders have no data, whatever they say */
		size = 0;
	if (!range_fits(data, size, a->file->size))
		return err_set(e, -EBADMSG, "cut short inside of the member at byte %llu",
			       (unsigned long long)*off);
	if (is_ahead) {
		rc = take_ahead(a, (char)h[156], data, size, ahead, e);
	} else if (h[156] != 'g') {
		rc = add_member(a, h, data, size, ahead, e);
		ahead_release(ahead);
	}
	*off = round_up(data + size, BLOCK);
	if (*off > a->file->size)
		*off = a->file->size; /* the last padding may be missing */
	return rc < 0 ? rc : 1;
}

static int refuse_compressed(struct source *file, struct err *e)
{
	static const struct {
		const char *magic, *program;
		size_t len;
	} kinds[] = {
		{"\x1f\x8b", "gzip -d", 2},
		{"\x28\xb5\x2f\xfd", "zstd -d", 4},
		{"\xfd"
		 "7zXZ",
		 "xz -d", 5},
		{"BZh", "bzip2 -d", 3},
	};
	char head[8] = "";
	ssize_t n = source_pread(file, head, sizeof(head), 0, e);
	size_t i;

	if (n < 0)
		return (int)n;
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if ((size_t)n >= kinds[i].len &&
		    memcmp(head, kinds[i].magic, kinds[i].len) == 0)
			return err_set(e, -ENOTSUP,
				       "a compressed archive, which cannot be read in "
				       "place: unpack "
				       "it with %s",
				       kinds[i].program);
	}
	return 0;
}

int archive_new(struct source *file, struct archive **out, struct err *e)
{
	struct archive *a = calloc(1, sizeof(*a));
	struct ahead ahead = {0};
	uint64_t off = 0;
	int rc;

	if (!a)
		return out_of_memory(e);
	a->file = source_ref(file);
	rc = refuse_compressed(file, e);
	if (rc == 0)
		while ((rc = take_header(a, &off, &ahead, e)) > 0)
			;
	ahead_release(&ahead);
	if (rc < 0)
		archive_free(a);
	else
		*out = a;
	return rc;
}

int archive_open(const char *path, struct archive **out, struct err *e)
{
	struct source *file = NULL;
	int rc = file_open(AT_FDCWD, path, &file, e);

	if (rc < 0)
		return rc;
	rc = archive_new(file, out, e);
	source_unref(file);
	return rc < 0 ? err_prefix(e, rc, "%s", path) : 0;
}

void archive_free(struct archive *a)
{
	size_t i;

	if (!a)
		return;
	for (i = 0; i < a->n; i++) {
		free(a->list[i].name);
		free(a->list[i].link);
	}
	free(a->list);
	source_unref(a->file);
	free(a);
}

/* The last of that name, as tar would leave it on disk. */
static const struct member *find(const struct archive *a, const char *name)
{
	size_t i;

	for (i = a->n; i-- > 0;) {
		if (strcmp(a->list[i].name, name) == 0)
			return &a->list[i];
	}
	return NULL;
}

int archive_member(struct archive *a, const char *name, struct source **out,
		   struct err *e)
{
	const struct member *m = find(a, without_dot(name));
	int links, rc;

	for (links = 0; m && m->link && links < LINKS_MAX; links++)
		m = find(a, m->link);
	if (!m || m->link)
		return err_set(e, -ENOENT, "%.200s: not in the archive", name);
	rc = source_slice(a->file, m->off, m->size, out);
	return rc < 0 ? err_set(e, rc, "out of memory") : 0;
}
