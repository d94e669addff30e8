/* SPDX-License-Identifier: MIT */
/*
 * The format is that of GNU ls in the C locale, byte for byte, so that scripts read it and
 * diff(1) compares it with a tree on disk.
 */
#include "fs/ctl/file_rows.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "base/array.h"
#include "base/control.h"
#include "base/num.h"
#include "fs/ctl/ctl.h"

/* Half a year of 365.2425 days, as in POSIX. */
#define RECENT_SECONDS (31556952 / 2)

int file_rows_add(struct file_rows *r, const char *name, const char *target,
		  uint64_t node, const struct stat *attr)
{
	struct file_row row = {.node = node, .attr = *attr};
	int rc = array_grow(&r->list, r->n, sizeof(*r->list));

	if (rc < 0)
		return rc;
	row.name = strdup(name);
	row.target = target ? strdup(target) : NULL;
	if (!row.name || (target && !row.target)) {
		free(row.name);
		free(row.target);
		return -ENOMEM;
	}
	r->list[r->n++] = row;
	return 0;
}

void file_rows_release(struct file_rows *r)
{
	size_t i;

	for (i = 0; i < r->n; i++) {
		free(r->list[i].name);
		free(r->list[i].target);
	}
	free(r->list);
	*r = (struct file_rows){.n = 0};
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct file_row *)a)->name,
		      ((const struct file_row *)b)->name);
}

void file_rows_sort(struct file_rows *r)
{
	if (r->n > 0)
		qsort(r->list, r->n, sizeof(*r->list), compare_names);
}

/* COLUMNS */

/* How wide the numbers are. */
struct widths {
	int nlink, uid, gid, size, major, minor;
};

static bool is_device(const struct stat *st)
{
	return S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode);
}

static void widen(int *width, uint64_t number)
{
	int n = snprintf(NULL, 0, "%" PRIu64, number);

	if (n > *width)
		*width = n;
}

static void measure(const struct file_rows *r, struct widths *w)
{
	const struct stat *st;
	size_t i;

	*w = (struct widths){.size = 0};
	for (i = 0; i < r->n; i++) {
		st = &r->list[i].attr;
		widen(&w->nlink, st->st_nlink);
		widen(&w->uid, st->st_uid);
		widen(&w->gid, st->st_gid);
		if (is_device(st)) {
			widen(&w->major, major(st->st_rdev));
			widen(&w->minor, minor(st->st_rdev));
		} else {
			widen(&w->size, (uint64_t)st->st_size);
		}
	}
	if (w->major == 0)
		return;
	/* "MAJOR, MINOR" and sizes share a column. */
	if (w->size < w->major + 2 + w->minor)
		w->size = w->major + 2 + w->minor;
	w->major = w->size - 2 - w->minor;
}

static void format_mode(mode_t mode, char out[11])
{
	static const char types[17] = "?pc?d?b?-?l?s???";
	static const struct {
		mode_t bit, with;
		char letter, special;
	} bits[9] = {
		{S_IRUSR, 0, 'r', 0}, {S_IWUSR, 0, 'w', 0}, {S_IXUSR, S_ISUID, 'x', 's'},
		{S_IRGRP, 0, 'r', 0}, {S_IWGRP, 0, 'w', 0}, {S_IXGRP, S_ISGID, 'x', 's'},
		{S_IROTH, 0, 'r', 0}, {S_IWOTH, 0, 'w', 0}, {S_IXOTH, S_ISVTX, 'x', 't'},
	};
	size_t i;

	out[0] = types[(mode & S_IFMT) >> 12];
	for (i = 0; i < 9; i++) {
		out[i + 1] = mode & bits[i].bit ? bits[i].letter : '-';
		if (mode & bits[i].with) /* without x it is a capital */
			out[i + 1] = (char)(bits[i].special -
					    (mode & bits[i].bit ? 0 : 'a' - 'A'));
	}
	out[10] = '\0';
}

static void format_time(int64_t time, int64_t now, char *out, size_t size)
{
	bool is_recent = time <= now && time > now - RECENT_SECONDS;
	time_t t = (time_t)time;
	struct tm tm;

	if (!localtime_r(&t, &tm) ||
	    strftime(out, size, is_recent ? "%b %e %H:%M" : "%b %e  %Y", &tm) == 0)
		snprintf(out, size, "%" PRId64, time);
}

static void print_columns(const struct stat *st, const struct widths *w, int64_t now)
{
	char mode[11], size[48], when[32], line[192];

	format_mode(st->st_mode, mode);
	format_time(st->st_mtim.tv_sec, now, when, sizeof(when));
	if (is_device(st))
		snprintf(size, sizeof(size), "%*u, %*u", w->major, major(st->st_rdev),
			 w->minor, minor(st->st_rdev));
	else
		snprintf(size, sizeof(size), "%*" PRIu64, w->size, (uint64_t)st->st_size);
	ctl_write(line, (size_t)snprintf(line, sizeof(line), "%s %*ju %*u %*u %s %s ",
					 mode, w->nlink, (uintmax_t)st->st_nlink, w->uid,
					 st->st_uid, w->gid, st->st_gid, size, when));
}

/* LINES */

void file_rows_print_name(const char *name, const struct file_style *style)
{
	char *masked = style->to_terminal ? strdup(name) : NULL;

	if (masked)
		control_mask(masked);
	if (!style->to_terminal)
		ctl_write(name, strlen(name));
	else if (masked)
		ctl_write(masked, strlen(masked));
	free(masked);
}

static void print_row(const struct file_row *row, const struct widths *w,
		      const struct file_style *style)
{
	if (style->is_long)
		print_columns(&row->attr, w, style->now);
	file_rows_print_name(row->name, style);
	if (style->has_slashes && S_ISDIR(row->attr.st_mode))
		ctl_write("/", 1);
	if (style->is_long && row->target) {
		ctl_write(" -> ", 4);
		file_rows_print_name(row->target, style);
	}
	ctl_write("\n", 1);
}

void file_rows_print(const struct file_rows *r, const struct file_style *style)
{
	struct widths w;
	size_t i;

	measure(r, &w);
	for (i = 0; i < r->n; i++)
		print_row(&r->list[i], &w, style);
}

void file_rows_print_total(const struct file_rows *r)
{
	uint64_t blocks = 0;
	size_t i;

	for (i = 0; i < r->n; i++)
		blocks = add_sizes(blocks, (uint64_t)r->list[i].attr.st_blocks);
	ctl_print("total %" PRIu64, blocks / 2 + blocks % 2);
}
