/* SPDX-License-Identifier: MIT */
/* An image without a mount: tops, paths, failures. */
#include "fs/ctl/reader.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/err.h"
#include "fs/ctl/ctl.h"
#include "fs/ctl/words.h"
#include "tests/unit/oci_dir.h"
#include "tests/unit/place.h"
#include "tests/unit/tarball.h"
#include "tests/unit/test.h"

static void add_link(struct buf *tar, const char *name, const char *target)
{
	uint8_t h[HEADER_SIZE];

	header_make(h, name, '2', 0);
	memcpy(h + 157, target, strnlen(target, 100));
	archive_header(tar, h);
}

static void make_image(void)
{
	struct buf tars[2];

	archive_init(&tars[0]);
	archive_entry(&tars[0], "d/", '5', "");
	archive_entry(&tars[0], "d/f", '0', "hello");
	archive_entry(&tars[0], "d/gone", '0', "");
	archive_entry(&tars[0], "d/e/", '5', "");
	archive_entry(&tars[0], "fifo", '6', "");
	add_link(&tars[0], "file", "d/f");
	add_link(&tars[0], "d/abs", "/d/e");
	add_link(&tars[0], "d/e/up", "../../../../../d");
	add_link(&tars[0], "out", "../../../../etc/passwd");
	add_link(&tars[0], "slash", "d/f/");
	add_link(&tars[0], "loop", "loop2");
	add_link(&tars[0], "loop2", "loop");
	add_link(&tars[0], "dangling", "none");
	add_link(&tars[0], "dots", "d/./e/../f");
	archive_end(&tars[0]);
	archive_init(&tars[1]);
	archive_entry(&tars[1], "d/.wh.gone", '0', "");
	archive_end(&tars[1]);
	oci_dir_make(tars, 2);
	buf_release(&tars[0]);
	buf_release(&tars[1]);
}

struct row {
	const char *path;
	bool follow;
	int rc;
	const char *same; /* the same node by another way, that follows no link */
};

static void check_paths(struct reader *r, uint64_t top)
{
	static char name[300];
	static const struct row rows[] = {
		{"/", true, 0, "."},
		{"", true, -ENOENT, NULL},
		{"//d///f", true, 0, "d/f"},
		{"..", true, 0, "/"},
		{"../../d/../d/f", true, 0, "d/f"},
		{"d/", true, 0, "d"},
		{"d/f/", true, -ENOTDIR, NULL},
		{"d/f/.", true, -ENOTDIR, NULL},
		{"d/f/..", true, -ENOTDIR, NULL},
		{"d/f/x", true, -ENOTDIR, NULL},
		{"d/none", true, -ENOENT, NULL},
		{"none/..", true, -ENOENT, NULL},
		{"d/gone", true, -ENOENT, NULL},
		{"file", true, 0, "d/f"},
		{"file", false, 0, "file"},
		{"file/", false, -ENOTDIR, NULL},
		{"d/abs", true, 0, "d/e"},
		{"d/abs/..", false, 0, "d"},
		{"d/abs/up/abs/up/f", true, 0, "d/f"},
		{"d/e/up", true, 0, "d"},
		{"d/abs/", false, 0, "d/e"},
		{"out", true, -ENOENT, NULL}, /* etc/passwd is not in the image */
		{"out", false, 0, "out"},
		{"slash", true, -ENOTDIR, NULL},
		{"loop", true, -ELOOP, NULL},
		{"loop", false, 0, "loop"},
		{"loop/x", false, -ELOOP, NULL},
		{"dangling", true, -ENOENT, NULL},
		{"dots", true, 0, "d/f"},
		{name, true, -ENAMETOOLONG, NULL},
	};
	struct item item, same;
	size_t i;

	memset(name, 'x', sizeof(name) - 1);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		is_int(reader_find(r, top, rows[i].path, rows[i].follow, &item),
		       rows[i].rc, "%.20s", rows[i].path);
		if (rows[i].same)
			ok(reader_find(r, top, rows[i].same, false, &same) == 0 &&
				   same.node == item.node &&
				   same.attr.st_mode == item.attr.st_mode,
			   "is %s", rows[i].same);
	}
}

static void check_layers(struct reader *r)
{
	struct err e = {""};
	struct item item;
	uint64_t top = 0;

	is_int(reader_layer(r, 1, &top, &e), 0, "layer 1 %s", e.text);
	is_int(reader_find(r, top, "d/gone", true, &item), 0, "has what was removed");
	is_int(reader_find(r, top, "d/abs/up/f", true, &item), 0, "links are followed");
	is_int(reader_layer(r, 2, &top, &e), 0, "layer 2 %s", e.text);
	is_int(reader_find(r, top, "d/.wh.gone", true, &item), 0, "has the whiteout");
	is_int(reader_find(r, top, "d/f", true, &item), -ENOENT, "and nothing of 1");
	is_int(reader_layer(r, 0, &top, &e), -ENOENT, "no layer 0");
	is_int(reader_layer(r, 3, &top, &e), -ENOENT, "no layer 3");
	ok(strstr(e.text, "1 to 2, not 3") != NULL, "%s", e.text);
}

/* What reader_print() writes is read from a file that replaces stdout in a child. */
static void check_bytes(struct reader *r, uint64_t top)
{
	const char *to = place_path("printed");
	struct err why;
	struct item item;
	char text[16] = "";
	FILE *f;
	int rc;

	is_int(reader_find(r, top, "file", true, &item), 0, "a file");
	fflush(stdout);
	if (fork() == 0) {
		rc = freopen(to, "we", stdout) ? reader_print(r, &item) : 1;
		ctl_end_output();
		_exit(rc == 0 ? 0 : 1);
	}
	ok(wait(&rc) > 0 && rc == 0, "is printed");
	f = fopen(to, "re");
	ok(f && fgets(text, sizeof(text), f), "to stdout");
	is_text(text, "hello", "as it is");
	if (f)
		fclose(f);
	is_int(reader_find(r, top, "d", true, &item), 0, "a directory");
	rc = reader_print(r, &item);
	is_int(rc, -EISDIR, "is not");
	is_text(reader_why(r, rc, &why), "Is a directory", "why");
	is_int(reader_find(r, top, "fifo", true, &item), 0, "a FIFO");
	is_int(reader_print(r, &item), -EINVAL, "is not, either");
}

/* Its bytes are damaged after it was made. */
static void check_damage(const struct words *w, const char *source)
{
	struct err e = {""}, why;
	struct reader r;
	struct item item;
	uint64_t top = 0;
	int rc = reader_open(&r, w, source, &e);

	if (rc == 0)
		rc = reader_rootfs(&r, &top, &e);
	if (rc == 0) {
		rc = reader_find(&r, top, "d/f", true, &item);
		err_set(&e, rc, "%s", reader_why(&r, rc, &why));
	}
	ok(rc < 0 && strstr(e.text, "digest"), "the sentence names the damage: %s",
	   e.text);
	reader_close(&r);
}

static void damage_blobs(void)
{
	char command[PATH_MAX];

	/* The first byte of each layer, which begins with a name. */
	snprintf(command, sizeof(command),
		 "for f in '%s'/blobs/sha256/*; do case $(head -c1 \"$f\") in d) "
		 "printf D | dd of=\"$f\" conv=notrunc status=none;; esac; done",
		 place);
	if (system(command) != 0)
		exit(1);
}

static void check_refusals(const struct words *w)
{
	struct err e = {""};
	struct reader r;

	is_int(reader_open(&r, w, "reg.example/team/", &e), -EINVAL, "a namespace");
	ok(strstr(e.text, "not an image") != NULL, "%s", e.text);
	reader_close(&r);
	ok(reader_open(&r, w, "oci:/nonexistent", &e) < 0, "no such layout");
	ok(strstr(e.text, "/nonexistent") != NULL, "%s", e.text);
	reader_close(&r);
}

int main(void)
{
	char *list[] = {(char *)"-o", (char *)"cache=none,offline", NULL};
	const struct word_flag none[] = {{.letter = 0}};
	char source[PATH_MAX + 8];
	struct err e = {""};
	struct words w;
	struct reader r;
	struct item item;
	uint64_t top = 0;

	make_image();
	reader_prepare();
	snprintf(source, sizeof(source), "oci:%s", place);
	is_int(words_parse(&w, list, none, &e), 0, "words");
	is_int(reader_open(&r, &w, source, &e), 0, "opened %s", e.text);
	is_int(reader_rootfs(&r, &top, &e), 0, "rootfs %s", e.text);
	check_paths(&r, top);
	check_layers(&r);
	check_bytes(&r, top);
	is_int(reader_document(&r, "config.json", &item, &e), 0, "a document");
	is_int(reader_document(&r, "nothing", &item, &e), -ENOENT, "no document");
	reader_close(&r);
	check_refusals(&w);
	damage_blobs();
	check_damage(&w, source);
	words_release(&w);
	return test_done();
}
