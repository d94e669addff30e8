/* SPDX-License-Identifier: MIT */
#include "fs/ctl/ctl.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "fs/ctl/file_rows.h"
#include "fs/ctl/reader.h"
#include "fs/ctl/words.h"

struct ls {
	struct reader reader;
	struct file_style style;
	bool is_recursive;
	bool as_files; /* directories are listed as themselves */
	uint64_t top;
	struct file_rows pending; /* directories to be listed; the last comes first */
	bool has_headings;
	bool has_printed;
	int status;
	const char *layer; /* of --layer, or NULL */
};

static void report(struct ls *ls, const char *path, int code)
{
	struct err why;

	ctl_error("%s: %s", path, reader_why(&ls->reader, code, &why));
	ls->status = 1;
}

/* Adds a row with what the name has behind it. */
static int add_row(struct ls *ls, struct file_rows *rows, const char *name,
		   const struct item *item)
{
	const struct options *o = &ls->reader.options;
	struct stat attr = item->attr;
	char target[PATH_MAX];
	bool is_link = ls->style.is_long && S_ISLNK(attr.st_mode);
	int rc = 0;

	if (o->uid >= 0)
		attr.st_uid = (uid_t)o->uid;
	if (o->gid >= 0)
		attr.st_gid = (gid_t)o->gid;
	if (is_link)
		rc = nodes_readlink(ls->reader.nodes, item->node, target, sizeof(target),
				    NULL);
	if (rc == 0)
		rc = file_rows_add(rows, name, is_link ? target : NULL, item->node,
				   &attr);
	return rc;
}

/* DIRECTORIES */

/* All names but "." and "..". A failure leaves those that are before it. */
static int read_names(struct ls *ls, uint64_t dir, struct file_rows *rows)
{
	struct node_list *l = NULL;
	const char *name;
	struct item item;
	uint64_t cookie;
	int rc = nodes_list_open(ls->reader.nodes, dir, 0, NULL, &l);

	if (rc < 0)
		return rc;
	while ((rc = nodes_list_next(l, &name, &item, &cookie)) == 1) {
		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
			continue;
		rc = add_row(ls, rows, name, &item);
		if (rc < 0)
			break;
	}
	nodes_list_close(l);
	return rc;
}

/* The directories among @rows are listed next, in their order. */
static int push_directories(struct ls *ls, const char *path, const struct file_rows *rows)
{
	const char *slash = path[0] && path[strlen(path) - 1] == '/' ? "" : "/";
	size_t i = rows->n;
	char *below;
	int rc = 0;

	while (rc == 0 && i-- > 0) {
		const struct file_row *row = &rows->list[i];

		if (!S_ISDIR(row->attr.st_mode))
			continue;
		if (asprintf(&below, "%s%s%s", path, slash, row->name) < 0)
			return -ENOMEM;
		rc = file_rows_add(&ls->pending, below, NULL, row->node, &row->attr);
		free(below);
	}
	return rc;
}

static void print_heading(struct ls *ls, const char *path)
{
	if (ls->has_headings) {
		if (ls->has_printed)
			ctl_write("\n", 1);
		file_rows_print_name(path, &ls->style);
		ctl_write(":\n", 2);
	}
	ls->has_printed = true;
}

static void list_directory(struct ls *ls, const char *path, uint64_t dir)
{
	struct file_rows rows = {.n = 0};
	int rc = read_names(ls, dir, &rows);

	if (rc < 0)
		report(ls, path, rc);
	if (rc == 0 || rows.n > 0) {
		file_rows_sort(&rows);
		print_heading(ls, path);
		if (ls->style.is_long)
			file_rows_print_total(&rows);
		file_rows_print(&rows, &ls->style);
		rc = ls->is_recursive ? push_directories(ls, path, &rows) : 0;
		if (rc < 0)
			report(ls, path, rc);
	}
	file_rows_release(&rows);
}

static void list_pending(struct ls *ls)
{
	while (ls->pending.n > 0) {
		struct file_rows one = {.n = 1};

		one.list = malloc(sizeof(*one.list));
		if (!one.list) {
			report(ls, ls->pending.list[ls->pending.n - 1].name, -ENOMEM);
			return;
		}
		one.list[0] = ls->pending.list[--ls->pending.n];
		list_directory(ls, one.list[0].name, one.list[0].node);
		file_rows_release(&one);
	}
}

/* OPERANDS */

/* As ls: a link to a directory is listed as that unless its own attributes are shown. */
static int find_operand(struct ls *ls, const char *path, struct item *out)
{
	bool is_plain = !ls->style.is_long && !ls->as_files;
	int rc = reader_find(&ls->reader, ls->top, path, is_plain, out);

	if (is_plain && (rc < 0 || !S_ISDIR(out->attr.st_mode)))
		rc = reader_find(&ls->reader, ls->top, path, false, out);
	return rc;
}

static void add_operand(struct ls *ls, const char *path, struct file_rows *files)
{
	struct file_rows *to = files;
	struct item item;
	int rc = find_operand(ls, path, &item);

	if (rc == 0 && S_ISDIR(item.attr.st_mode) && !ls->as_files)
		to = &ls->pending;
	if (rc == 0)
		rc = add_row(ls, to, path, &item);
	if (rc < 0)
		report(ls, path, rc);
}

static void turn_around(struct file_rows *r)
{
	struct file_row row;
	size_t i;

	for (i = 0; i < r->n / 2; i++) {
		row = r->list[i];
		r->list[i] = r->list[r->n - 1 - i];
		r->list[r->n - 1 - i] = row;
	}
}

/* Files first, then the directories. */
static void list_operands(struct ls *ls, char **paths)
{
	static char slash[] = "/", *all[] = {slash, NULL};
	struct file_rows files = {.n = 0};
	size_t n;

	if (!paths[0])
		paths = all;
	for (n = 0; paths[n]; n++)
		add_operand(ls, paths[n], &files);
	ls->has_headings = n > 1 || ls->is_recursive;
	file_rows_sort(&files);
	file_rows_sort(&ls->pending);
	turn_around(&ls->pending);
	file_rows_print(&files, &ls->style);
	ls->has_printed = files.n > 0;
	file_rows_release(&files);
	list_pending(ls);
	file_rows_release(&ls->pending);
}

static int list_image(const struct words *w, void *arg)
{
	struct ls *ls = arg;
	struct err e = {""};
	int rc = reader_open(&ls->reader, w, w->operands[0], &e);

	if (rc == 0)
		rc = reader_top(&ls->reader, ls->layer, &ls->top, &e);
	if (rc == 0)
		list_operands(ls, w->operands + 1);
	else
		ls->status = ctl_error("%s", e.text);
	reader_close(&ls->reader);
	return ls->status;
}

static int run_ls(char **words)
{
	static const struct reader_command command = {"ls", "an image", 1, SIZE_MAX,
						      list_image};
	struct ls ls = {.style = {.to_terminal = isatty(STDOUT_FILENO) == 1,
				  .now = clock_realtime().tv_sec}};
	bool all;
	const struct word_flag flags[] = {
		{.letter = 'l', .on = &ls.style.is_long},
		{.letter = 'n', .on = &ls.style.is_long},
		{.letter = 'R', .on = &ls.is_recursive},
		{.letter = 'd', .on = &ls.as_files},
		{.letter = 'p', .on = &ls.style.has_slashes},
		{.letter = 'a', .on = &all}, /* as always */
		{.name = "layer", .value = &ls.layer},
		{.letter = '\0'},
	};

	return reader_run(&command, words, flags, &ls);
}

const struct ctl_command ls_command = {
	"ls",
	"ls [-lRdp] [--layer=N] [-o OPT[,OPT...]] SOURCE [PATH...]",
	"  ls        list files of an image, without a mount, as ls -A does; -l: with\n"
	"            attributes; -R: all below; -d: directories as files; -p: with a slash\n"
	"            after their names; --layer: of one layer, with its whiteouts\n",
	run_ls,
};
