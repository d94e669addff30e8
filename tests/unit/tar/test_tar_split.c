/* SPDX-License-Identifier: MIT */
/*
 * The archive is made again from its tar-split and the files of the layer's tree, as engines do
 * it (asm.WriteOutputTarStream() of github.com/vbatts/tar-split).
 */
#include "tar/tar_split.h"

#include <limits.h>
#include <sys/mman.h>

#include "base/base64.h"
#include "base/crc64.h"
#include "base/json.h"
#include "tests/unit/tar/layers.h"

/* What was put together again, and of how many files. */
static struct buf again;
static unsigned n_files, n_pieces;

static bool gunzip(int fd, uint64_t size, struct buf *out)
{
	char *in = malloc(size + 1), room[65536];
	z_stream s = {0};
	int rc = Z_OK;

	must(in && pread(fd, in, size + 1, 0) == (ssize_t)size ? 0 : -EIO, "a file");
	must(inflateInit2(&s, 31) == Z_OK ? 0 : -ENOMEM, "zlib");
	s.next_in = (void *)in;
	s.avail_in = (uInt)size;
	while (rc == Z_OK) {
		s.next_out = (void *)room;
		s.avail_out = sizeof(room);
		rc = inflate(&s, Z_NO_FLUSH);
		archive_add(out, room, sizeof(room) - s.avail_out);
		if (rc == Z_STREAM_END && s.avail_in > 0)
			rc = inflateReset(&s);
	}
	inflateEnd(&s);
	free(in);
	return rc == Z_STREAM_END;
}

static char *decode(const char *text, size_t *len)
{
	char *out = strdup(text ? text : "");

	must(out ? 0 : -ENOMEM, "memory");
	*len = strlen(out);
	if (!base64_decode(out, len))
		printf("# not base64: %s\n", text);
	out[*len] = '\0';
	return out;
}

static bool add_file(struct layer *l, char *path, int64_t size, const char *crc)
{
	const struct index *ix = layer_index(l);
	struct entry e;
	char *part, *room;
	uint64_t got, stored;
	bool good;

	must(index_entry(ix, 0, &e), "a root");
	while ((part = strsep(&path, "/"))) {
		if (index_find(ix, &e, part, strlen(part), &e) < 0)
			return false;
	}
	if (e.inode != e.id)
		must(index_entry(ix, e.inode, &e), "an inode");
	if ((int64_t)e.size != size || (e.flags & ENTRY_SPARSE))
		return false;
	room = malloc(e.size + 1);
	must(room ? read_decoded(l, e.data, e.size, room) : -ENOMEM, "a content");
	got = crc64(0, room, e.size);
	archive_add(&again, room, e.size);
	memcpy(&stored, crc, sizeof(stored));
	good = be64toh(stored) == got;
	free(room);
	n_files++;
	return good;
}

static bool add_line(struct layer *l, const char *line, size_t len, int64_t position)
{
	int64_t type = 0, size = 0, at = -1;
	struct json *j = NULL;
	char *payload, *name;
	size_t n, name_len;
	bool good = json_parse(line, len, &j, NULL) == 0;

	json_member_int(j, "type", &type);
	json_member_int(j, "size", &size);
	json_member_int(j, "position", &at);
	payload = decode(json_member_string(j, "payload"), &n);
	if (json_member_string(j, "name_raw"))
		name = decode(json_member_string(j, "name_raw"), &name_len);
	else
		name = strdup(json_member_string(j, "name")
				      ? json_member_string(j, "name")
				      : "");
	good = good && at == position;
	if (type == 2) {
		archive_add(&again, payload, n);
		n_pieces++;
	} else {
		good = good && type == 1 && n == 8 && size > 0 &&
		       add_file(l, name, size, payload);
	}
	if (!good)
		printf("# %.*s\n", (int)len, line);
	free(name);
	free(payload);
	json_free(j);
	return good;
}

/* Whether the archive @want comes out. */
static bool is_made_again(struct store *s, struct layer *l, const struct buf *want)
{
	int fd = memfd_create("split", 0);
	struct err e = {""};
	uint64_t size = 0;
	const char *line, *end;
	int64_t position = 0;
	struct buf lines;
	bool good;

	archive_init(&lines);
	buf_clear(&again);
	n_files = n_pieces = 0;
	good = tar_split_write(s, l, fd, NULL, &size, &e) == 0 &&
	       gunzip(fd, size, &lines);
	if (!good)
		printf("# %s\n", e.text);
	for (line = buf_text(&lines); good && *line; line = end + 1) {
		end = strchr(line, '\n');
		good = end && add_line(l, line, (size_t)(end - line), position++);
	}
	good = good && again.len == want->len &&
	       memcmp(buf_text(&again), buf_text(want), want->len) == 0;
	buf_release(&lines);
	close(fd);
	return good;
}

static void test_form(const struct form *f)
{
	struct store *s = open_store("split");
	struct err e = {""};
	struct layer *l;
	struct blob b;

	must(load_form(s, f, &b, &l, &e), e.text);
	ok(is_made_again(s, l, &plain), "%s", f->name);
	is_int(n_files, N_FILES - 3, "all that are not empty");
	layer_free(l);
	store_close(s);
}

static void test_interrupted(const struct form *f)
{
	struct store *s = open_store("split");
	int fd = memfd_create("split", 0);
	bool cancelled = true;
	struct err e = {""};
	uint64_t size;
	struct layer *l;
	struct blob b;

	must(load_form(s, f, &b, &l, &e), e.text);
	is_int(tar_split_write(s, l, fd, &cancelled, &size, &e), -EINTR, "%s", e.text);
	close(fd);
	layer_free(l);
	store_close(s);
}

/* One archive as a layer; ANY_FILES of them may be in the tree. */
#define ANY_FILES UINT_MAX
static void check_archive(const char *what, struct buf *a, unsigned files_wanted)
{
	struct form f = {.name = what, .bytes = *a};
	struct store *s = open_store("odd");
	struct err e = {""};
	struct layer *l;
	struct blob b;

	must(digest_of(DIGEST_SHA256, a->data, a->len, &f.digest), "a digest");
	must(load_form(s, &f, &b, &l, &e), e.text);
	ok(is_made_again(s, l, a), "%s", what);
	if (files_wanted != ANY_FILES)
		is_int(n_files, files_wanted, "with as many files");
	layer_free(l);
	store_close(s);
	buf_clear(a);
}

static void test_odd(void)
{
	uint8_t h[HEADER_SIZE];
	struct buf a, body;

	archive_init(&a);
	archive_end(&a);
	check_archive("empty", &a, 0);
	archive_entry(&a, "f", '0', "first");
	archive_entry(&a, "f", '0', "second");
	archive_end(&a);
	check_archive("replaced", &a, 1);
	archive_entry(&a, "d/.wh.gone", '0', "a whiteout with content");
	archive_entry(&a, ".wh.d/x", '0', "below a whiteout");
	archive_entry(&a, "./d//kept", '0', "kept");
	archive_end(&a);
	check_archive("whiteouts", &a, 1);
	archive_entry(&a, "q\"uo\\te\n", '0', "escapes");
	archive_entry(&a, "bad \xff utf", '0', "bytes");
	archive_entry(&a, "gr\xc3\xbc\xc3\x9f", '0', "letters");
	archive_end(&a);
	check_archive("names", &a, 3);
	archive_entry(&a, "a", '0', "linked");
	header_make(h, "b", '1', 0);
	memcpy(h + 157, "a", 1);
	archive_header(&a, h);
	archive_entry(&a, "a", '0', "new");
	archive_end(&a);
	check_archive("links", &a, 2);
	archive_pax(&a, "path", "long/name");
	archive_entry(&a, "short", '0', "renamed");
	archive_zeros(&a, 20000);
	check_archive("pax", &a, 1);
	archive_init(&body);
	pax_add_text(&body, "GNU.sparse.size", "1000");
	pax_add_text(&body, "GNU.sparse.map", "10,3");
	archive_meta(&a, 'x', &body);
	archive_entry(&a, "sparse", '0', "abc");
	archive_end(&a);
	check_archive("sparse", &a, 0);
	buf_release(&body);
	buf_release(&a);
}

/* Small archives of any names, contents and paddings. */
static void test_random(void)
{
	char name[64], *text = calloc(1, 3000);
	unsigned i, k, n;
	struct buf a;

	must(text ? 0 : -ENOMEM, "memory");
	archive_init(&a);
	for (i = 0; i < 20; i++) {
		for (k = 0; k < 12; k++) {
			n = random_next() % 2000;
			memset(text, 'a' + (int)k, n);
			text[n] = '\0';
			snprintf(name, sizeof(name), "%s%s%u",
				 random_next() % 3 ? "" : "d/",
				 random_next() % 6 ? "" : ".wh.", random_next() % 6);
			archive_entry(&a, name, '0', text);
		}
		archive_end(&a);
		archive_zeros(&a, random_next() % 9000);
		check_archive("random", &a, ANY_FILES);
	}
	buf_release(&a);
	free(text);
}

int main(void)
{
	int i;

	layers_init();
	archive_init(&again);
	for (i = 0; i < N_FORMS; i++)
		test_form(&forms[i]);
	test_interrupted(&forms[GZIP]);
	test_odd();
	test_random();
	buf_release(&again);
	layers_release();
	return test_done();
}
