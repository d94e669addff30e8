/* SPDX-License-Identifier: MIT */
#include "fs/ctl/file_rows.h"

#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fs/ctl/ctl.h"
#include "tests/unit/place.h"
#include "tests/unit/test.h"

#define NOW 1700000000 /* 14 November 2023, 22:13:20 */

static const struct {
	const char *name, *target;
	mode_t mode;
	unsigned nlink, uid, gid;
	int64_t size, time;
	unsigned major, minor;
	const char *plain, *line; /* alone; NULL: not printed alone */
} rows[] = {
	{"z", NULL, S_IFREG | 0644, 1, 0, 0, 5, NOW, 0, 0, "z\n",
	 "-rw-r--r-- 1 0 0 5 Nov 14 22:13 z\n"},
	{"suid", NULL, S_IFREG | 06755, 10, 1, 2, 0, NOW + 1, 0, 0, "suid\n",
	 "-rwsr-sr-x 10 1 2 0 Nov 14  2023 suid\n"},
	{"capitals", NULL, S_IFREG | 07000, 1, 0, 0, 0, NOW - 15778475, 0, 0,
	 "capitals\n", "---S--S--T 1 0 0 0 May 16 07:18 capitals\n"},
	{"old", NULL, S_IFDIR | 01777, 1, 0, 0, 0, NOW - 15778476, 0, 0, "old/\n",
	 "drwxrwxrwt 1 0 0 0 May 16  2023 old/\n"},
	{"l", "to\x1b", S_IFLNK | 0777, 1, 0, 0, 3, 0, 0, 0, "l\n",
	 "lrwxrwxrwx 1 0 0 3 Jan  1  1970 l -> to?\n"},
	{"c", NULL, S_IFCHR | 0600, 1, 0, 0, 0, -86400, 5, 130, "c\n",
	 "crw------- 1 0 0 5, 130 Dec 31  1969 c\n"},
	{"b", NULL, S_IFBLK | 0060, 1, 0, 0, 0, 0, 259, 1, "b\n",
	 "b---rw---- 1 0 0 259, 1 Jan  1  1970 b\n"},
	{"p\n\xc2\x9b", NULL, S_IFIFO | 0006, 1, 0, 0, 0, INT64_MAX, 0, 0, "p??\n",
	 "p------rw- 1 0 0 0 9223372036854775807 p??\n"},
	{"s", NULL, S_IFSOCK, 1, 4294967294, 0, 0, 0, 0, 0, "s\n",
	 "s--------- 1 4294967294 0 0 Jan  1  1970 s\n"},
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

static void add(struct file_rows *r, size_t i)
{
	struct stat st = {.st_mode = rows[i].mode,
			  .st_nlink = rows[i].nlink,
			  .st_uid = rows[i].uid,
			  .st_gid = rows[i].gid,
			  .st_size = rows[i].size,
			  .st_blocks = 3,
			  .st_rdev = makedev(rows[i].major, rows[i].minor)};

	st.st_mtim.tv_sec = rows[i].time;
	is_int(file_rows_add(r, rows[i].name, rows[i].target, i, &st), 0, "added");
}

/* What it prints, in a buffer that the next call reuses. */
static const char *print(const struct file_rows *r, bool is_long, bool to_terminal,
			 bool total)
{
	const struct file_style style = {is_long, true, to_terminal, NOW};
	const char *to = place_path("printed");
	static char text[4096];
	size_t n = 0;
	FILE *f;
	int rc;

	fflush(stdout);
	if (fork() == 0) {
		if (!freopen(to, "we", stdout))
			_exit(1);
		if (total)
			file_rows_print_total(r);
		file_rows_print(r, &style);
		ctl_end_output();
		_exit(0);
	}
	ok(wait(&rc) > 0 && rc == 0, "printed");
	f = fopen(to, "re");
	if (f) {
		n = fread(text, 1, sizeof(text) - 1, f);
		fclose(f);
	}
	text[n] = '\0';
	return text;
}

static void check_alone(void)
{
	struct file_rows r = {.n = 0};
	size_t i;

	for (i = 0; i < N_ROWS; i++) {
		add(&r, i);
		is_text(print(&r, true, true, false), rows[i].line, "line");
		is_text(print(&r, false, true, false), rows[i].plain, "name");
		file_rows_release(&r);
	}
}

/* Columns as wide as their widest number; sizes and devices share one. */
static void check_together(void)
{
	struct file_rows r = {.n = 0};
	const char *text;
	size_t i;

	for (i = 0; i < 7; i++)
		add(&r, i);
	file_rows_sort(&r);
	is_text(r.list[0].name, "b", "sorted");
	is_int((long)r.list[0].node, 6, "with its node");
	text = print(&r, true, false, true);
	is_text(text,
		"total 11\n"
		"b---rw----  1 0 0 259,   1 Jan  1  1970 b\n"
		"crw-------  1 0 0   5, 130 Dec 31  1969 c\n"
		"---S--S--T  1 0 0        0 May 16 07:18 capitals\n"
		"lrwxrwxrwx  1 0 0        3 Jan  1  1970 l -> to\x1b\n"
		"drwxrwxrwt  1 0 0        0 May 16  2023 old/\n"
		"-rwsr-sr-x 10 1 2        0 Nov 14  2023 suid\n"
		"-rw-r--r--  1 0 0        5 Nov 14 22:13 z\n",
		"columns");
	file_rows_release(&r);
	is_text(print(&r, true, false, true), "total 0\n", "no files");
}

int main(void)
{
	place_make();
	place_env("TZ", "UTC");
	check_alone();
	check_together();
	return test_done();
}
