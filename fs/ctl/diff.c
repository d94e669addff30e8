/* SPDX-License-Identifier: MIT */
#include "fs/ctl/ctl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/control.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/jsonwrite.h"
#include "fs/ctl/compare.h"
#include "fs/ctl/reader.h"
#include "fs/ctl/words.h"
#include "registry/image/image.h"

/* As diff(1). */
#define SAME	  0
#define DIFFERENT 1
#define TROUBLE	  2

/* Of what was not written yet: a difference, which has two paths at most. */
#define TEXT_MAX (1u << 20)

struct diff {
	struct reader a, b;
	bool is_json;
	struct buf text; /* not written yet */
	struct jsonwrite json;
	int failed; /* of text */
	uint64_t added, removed, changed;
	uint64_t added_bytes,
		removed_bytes; /* sizes of regular files; changed ones in both */
};

/* The order of enum difference_what. */
static const char *const names[N_DIFFERENT] = {
	"type", "content", "size", "mode", "owner", "times", "xattrs", "target", "device",
};

/* OUTPUT */

/* Ends the program if it cannot be written, with the status of trouble. */
static void write_text(struct diff *d)
{
	if (d->text.len > 0 &&
	    fwrite(d->text.data, 1, d->text.len, stdout) < d->text.len) {
		if (errno == EPIPE)
			ctl_output_failed(EPIPE);
		ctl_error("cannot write: %s", strerror(errno));
		_exit(TROUBLE);
	}
	buf_clear(&d->text);
}

static void end_text(struct diff *d)
{
	write_text(d);
	if (fflush(stdout) == 0)
		return;
	if (errno == EPIPE)
		ctl_output_failed(EPIPE);
	ctl_error("cannot write: %s", strerror(errno));
	_exit(TROUBLE);
}

static const char *type_name(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return "file";
	case S_IFDIR:
		return "directory";
	case S_IFLNK:
		return "symlink";
	case S_IFCHR:
		return "character device";
	case S_IFBLK:
		return "block device";
	case S_IFIFO:
		return "pipe";
	default:
		return "socket";
	}
}

static uint64_t bytes_of(const struct item *item)
{
	return item && S_ISREG(item->attr.st_mode) ? (uint64_t)item->attr.st_size : 0;
}

__attribute__((format(printf, 2, 3))) static void add(struct diff *d, const char *fmt,
						      ...)
{
	char text[128];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (d->failed == 0)
		d->failed = buf_append_text(&d->text, text);
}

/* TEXT */

/* A letter, a path and a tab, behind which the details are. */
static void add_path(struct diff *d, char letter, const char *path)
{
	size_t at;

	add(d, "%c ", letter);
	at = d->text.len;
	if (d->failed == 0)
		d->failed = buf_append_text(&d->text, path);
	if (d->failed == 0) {
		control_mask(d->text.data + at);
		d->text.len = at + strlen(d->text.data + at);
	}
	add(d, "\t");
}

static void add_change(struct diff *d, unsigned bit, const struct stat *a,
		       const struct stat *b)
{
	switch (bit) {
	case DIFFERENT_TYPE:
		add(d, "type %s -> %s", type_name(a->st_mode), type_name(b->st_mode));
		break;
	case DIFFERENT_SIZE:
		add(d, "size %lld -> %lld", (long long)a->st_size, (long long)b->st_size);
		break;
	case DIFFERENT_MODE:
		add(d, "mode %04o -> %04o", a->st_mode & 07777, b->st_mode & 07777);
		break;
	case DIFFERENT_OWNER:
		add(d, "owner %u:%u -> %u:%u", a->st_uid, a->st_gid, b->st_uid,
		    b->st_gid);
		break;
	case DIFFERENT_DEVICE:
		add(d, "device %u:%u -> %u:%u", major(a->st_rdev), minor(a->st_rdev),
		    major(b->st_rdev), minor(b->st_rdev));
		break;
	default:
		add(d, "%s", names[__builtin_ctz(bit)]);
		break;
	}
}

static void print_text(struct diff *d, const struct difference *x)
{
	const struct item *one = x->a ? x->a : x->b;
	bool is_first = true;
	unsigned i;

	add_path(d, !x->a ? 'A' : !x->b ? 'D' : 'C', x->path);
	if (x->what == 0 && S_ISREG(one->attr.st_mode))
		add(d, "%lld bytes", (long long)one->attr.st_size);
	else if (x->what == 0)
		add(d, "%s", type_name(one->attr.st_mode));
	for (i = 0; i < N_DIFFERENT; i++) {
		if (!(x->what & 1u << i))
			continue;
		if (!is_first)
			add(d, ", ");
		add_change(d, 1u << i, &x->a->attr, &x->b->attr);
		is_first = false;
	}
	add(d, "\n");
}

/* JSON */

static void add_side(struct diff *d, const char *key, const struct item *item)
{
	struct jsonwrite *w = &d->json;
	const struct stat *st = &item->attr;
	char text[32];

	jsonwrite_key(w, key);
	jsonwrite_open(w, '{');
	jsonwrite_member(w, "type", type_name(st->st_mode));
	if (S_ISREG(st->st_mode))
		jsonwrite_member_number(w, "size", st->st_size);
	snprintf(text, sizeof(text), "%04o", st->st_mode & 07777);
	jsonwrite_member(w, "mode", text);
	jsonwrite_member_number(w, "uid", st->st_uid);
	jsonwrite_member_number(w, "gid", st->st_gid);
	jsonwrite_member_number(w, "mtime", st->st_mtim.tv_sec);
	jsonwrite_member_number(w, "mtime_ns", st->st_mtim.tv_nsec);
	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) {
		jsonwrite_member_number(w, "major", major(st->st_rdev));
		jsonwrite_member_number(w, "minor", minor(st->st_rdev));
	}
	jsonwrite_close(w, '}');
}

static void print_json(struct diff *d, const struct difference *x)
{
	struct jsonwrite *w = &d->json;
	unsigned i;

	jsonwrite_open(w, '{');
	jsonwrite_member(w, "path", x->path);
	jsonwrite_member(w, "change", !x->a ? "added" : !x->b ? "removed" : "changed");
	if (x->what != 0) {
		jsonwrite_key(w, "what");
		jsonwrite_open(w, '[');
		for (i = 0; i < N_DIFFERENT; i++) {
			if (x->what & 1u << i)
				jsonwrite_text(w, names[i]);
		}
		jsonwrite_close(w, ']');
	}
	if (x->a)
		add_side(d, "a", x->a);
	if (x->b)
		add_side(d, "b", x->b);
	jsonwrite_close(w, '}');
}

static void add_image(struct diff *d, const char *key, const struct reader *r)
{
	const struct image *img = r->mount.images.first->image;
	char text[DIGEST_TEXT_MAX];

	jsonwrite_key(&d->json, key);
	jsonwrite_open(&d->json, '{');
	jsonwrite_member(&d->json, "image", img->name);
	jsonwrite_member(&d->json, "digest",
			 digest_format(&img->manifest_descriptor.digest, text));
	jsonwrite_close(&d->json, '}');
}

static void begin_json(struct diff *d)
{
	jsonwrite_init(&d->json, &d->text);
	jsonwrite_open(&d->json, '{');
	add_image(d, "a", &d->a);
	add_image(d, "b", &d->b);
	jsonwrite_key(&d->json, "changes");
	jsonwrite_open(&d->json, '[');
}

static void end_json(struct diff *d)
{
	struct jsonwrite *w = &d->json;

	jsonwrite_close(w, ']');
	jsonwrite_member_number(w, "added", (int64_t)d->added);
	jsonwrite_member_number(w, "removed", (int64_t)d->removed);
	jsonwrite_member_number(w, "changed", (int64_t)d->changed);
	jsonwrite_member_number(w, "added_bytes", (int64_t)d->added_bytes);
	jsonwrite_member_number(w, "removed_bytes", (int64_t)d->removed_bytes);
	jsonwrite_close(w, '}');
	d->failed = jsonwrite_finish(w);
}

/* THE COMMAND */

static void on_difference(void *arg, const struct difference *x)
{
	struct diff *d = arg;

	d->added += !x->a;
	d->removed += !x->b;
	d->changed += x->a && x->b;
	if (!x->a || !x->b || (x->what & (DIFFERENT_CONTENT | DIFFERENT_TYPE))) {
		d->added_bytes += bytes_of(x->b);
		d->removed_bytes += bytes_of(x->a);
	}
	if (d->is_json)
		print_json(d, x);
	else
		print_text(d, x);
	write_text(d);
}

static void end_plain(struct diff *d)
{
	if (d->added + d->removed + d->changed > 0)
		add(d,
		    "%llu added, %llu removed, %llu changed: %llu bytes more, %llu less\n",
		    (unsigned long long)d->added, (unsigned long long)d->removed,
		    (unsigned long long)d->changed, (unsigned long long)d->added_bytes,
		    (unsigned long long)d->removed_bytes);
}

/* The exit status. */
static int print_differences(struct diff *d, uint64_t top_a, uint64_t top_b)
{
	struct compare c = {
		.a = &d->a, .b = &d->b, .on_difference = on_difference, .arg = d};
	int rc;

	if (d->is_json)
		begin_json(d);
	rc = compare_trees(&c, top_a, top_b);
	if (rc == 0 && d->is_json)
		end_json(d);
	else if (rc == 0)
		end_plain(d);
	if (rc == 0)
		rc = d->failed;
	if (rc < 0) {
		ctl_error("%s", strerror(-rc));
		return TROUBLE;
	}
	end_text(d);
	if (c.is_incomplete)
		return TROUBLE;
	return d->added + d->removed + d->changed > 0 ? DIFFERENT : SAME;
}

/* Opens an image and loads its layers. A negative errno and a sentence. */
static int open_image(struct reader *r, const struct words *w, const char *source,
		      uint64_t *top, struct err *e)
{
	int rc = reader_open(r, w, source, e);

	return rc < 0 ? rc : reader_rootfs(r, top, e);
}

static int compare_images(const struct words *w, bool is_json)
{
	struct diff d = {.is_json = is_json};
	uint64_t top_a = 0, top_b = 0;
	struct err e = {""};
	int status, rc = open_image(&d.a, w, w->operands[0], &top_a, &e);
	bool has_b = rc == 0;

	buf_init(&d.text, TEXT_MAX);
	if (rc == 0)
		rc = open_image(&d.b, w, w->operands[1], &top_b, &e);
	if (rc == 0) {
		status = print_differences(&d, top_a, top_b);
	} else {
		ctl_error("%s", e.text);
		status = TROUBLE;
	}
	buf_release(&d.text);
	if (has_b)
		reader_close(&d.b);
	reader_close(&d.a);
	return status;
}

static int run_diff(char **words)
{
	bool is_json = false;
	const struct word_flag flags[] = {
		{.name = "json", .on = &is_json},
		{.letter = '\0'},
	};
	struct words w;
	struct err e = {""};
	int status = TROUBLE;

	reader_prepare();
	if (words_parse(&w, words, flags, &e) < 0)
		ctl_usage("diff: %s", e.text);
	else if (w.n_operands != 2)
		ctl_usage("diff: expected two images");
	else
		status = compare_images(&w, is_json);
	words_release(&w);
	return status;
}

const struct ctl_command diff_command = {
	"diff",
	"diff [--json] [-o OPT[,OPT...]] SOURCE SOURCE",
	"  diff      compare the root file systems of two images, without a mount: what\n"
	"            the second adds (A), changes (C) and no longer has (D). The exit\n"
	"            status is that of diff: 0 the same, 1 different, 2 trouble\n",
	run_diff,
};
