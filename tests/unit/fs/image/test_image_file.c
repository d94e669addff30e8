/* SPDX-License-Identifier: MIT */
#include "fs/image/image_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>

#include "base/err.h"
#include "fs/image/image_lines.h"
#include "tests/unit/place.h"
#include "tests/unit/test.h"

#define A "docker.io/library/a:1"
#define B "docker.io/library/b:1"

static struct err e;

static void write_file(const char *name, const char *text)
{
	FILE *f = fopen(place_path(name), "we");

	if (!f || fputs(text, f) < 0 || fclose(f) != 0)
		exit(1);
}

static void is_file(const char *want, const char *what)
{
	char text[1000] = "";
	FILE *f = fopen(place_path("list"), "re");

	if (!f || fread(text, 1, sizeof(text) - 1, f) == 0)
		text[0] = '\0';
	if (f)
		fclose(f);
	is_text(text, want, "%s", what);
}

/* Of an old time, so that nothing can be taken for a write in the same moment. */
static void age(const char *name)
{
	struct timespec times[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};

	if (utimensat(AT_FDCWD, place_path(name), times, 0) < 0)
		exit(1);
}

static void check_look(struct image_file *f)
{
	is_int(image_file_look(f, &e), 1, "an absent file is new once");
	is_int(image_file_look(f, &e), 0, "and then as before");
	write_file("list", "a\n");
	is_int(image_file_look(f, &e), 1, "it is created");
	is_text(buf_text(&f->text), "a\n", "and read");
	is_int(image_file_look(f, &e), 0, "the same again");
	write_file("list", "b\n");
	is_int(image_file_look(f, &e), 1, "of the same size, in the same moment");
	is_text(buf_text(&f->text), "b\n", "it is read");
	age("list");
	is_int(image_file_look(f, &e), 0, "another time, the same text");
	write_file("new", "c\n");
	age("new");
	if (rename(place_path("new"), place_path("list")) < 0)
		exit(1);
	is_int(image_file_look(f, &e), 1, "replaced, with the same size and time");
	is_text(buf_text(&f->text), "c\n", "it is read");
	if (unlink(place_path("list")) < 0)
		exit(1);
	is_int(image_file_look(f, &e), 1, "removed");
	is_int((long long)f->text.len, 0, "is empty");
}

static void check_bad(struct image_file *f)
{
	char *text = malloc(IMAGE_LINES_TEXT_MAX + 2);

	if (!text)
		exit(1);
	memset(text, '\n', IMAGE_LINES_TEXT_MAX + 1);
	text[IMAGE_LINES_TEXT_MAX + 1] = '\0';
	write_file("list", text);
	is_int(image_file_look(f, &e), -E2BIG, "too large: %s", e.text);
	is_int(image_file_look(f, &e), -E2BIG, "each time");
	text[IMAGE_LINES_TEXT_MAX] = '\0';
	write_file("list", text);
	is_int(image_file_look(f, &e), 1, "as large as may be");
	is_int((long long)f->text.len, IMAGE_LINES_TEXT_MAX, "all of it");
	unlink(place_path("list"));
	if (mkfifo(place_path("list"), 0600) < 0)
		exit(1);
	is_int(image_file_look(f, &e), -EINVAL, "a FIFO: %s", e.text);
	unlink(place_path("list"));
	image_file_look(f, &e);
	free(text);
}

static void check_add(struct image_file *f)
{
	struct stat st;

	is_int(image_file_add(f, A, &e), 0, "an absent file is created");
	is_file(A "\n", "with the line");
	is_int(stat(place_path("list"), &st), 0, "it is there");
	is_int(st.st_mode & 0777, 0600, "for this user alone");
	is_int(image_file_add(f, A, &e), 0, "again");
	is_file(A "\n", "is no second line");
	write_file("list", "# mine\na:1\nx:2");
	is_int(image_file_add(f, A, &e), 0, "written otherwise");
	is_file("# mine\na:1\nx:2", "is there as well");
	is_int(image_file_add(f, B, &e), 0, "after a line without an end");
	is_file("# mine\na:1\nx:2\n" B "\n", "comes a line of its own");
	is_int(image_file_look(f, &e), 1, "that is a change");
}

static void check_remove(struct image_file *f)
{
	struct stat st;

	write_file("list", "# mine\na:1\nx:2\n" A "\nb:1");
	if (chmod(place_path("list"), 0640) < 0)
		exit(1);
	is_int(image_file_remove(f, A, &e), 0, "removed");
	is_file("# mine\nx:2\nb:1", "all lines of it");
	is_int(stat(place_path("list"), &st), 0, "it is there");
	is_int(st.st_mode & 0777, 0640, "the mode stays");
	is_int(image_file_remove(f, A, &e), -ENOENT, "it is gone: %s", e.text);
	is_int(image_file_remove(f, B, &e), 0, "the last line");
	is_file("# mine\nx:2\n", "without an end");
	if (rename(place_path("list"), place_path("real")) < 0 ||
	    symlink("real", place_path("list")) < 0)
		exit(1);
	is_int(image_file_remove(f, "docker.io/library/x:2", &e), 0, "by a symlink");
	is_int(lstat(place_path("list"), &st), 0, "it is there");
	ok(S_ISLNK(st.st_mode), "and stays one");
	is_file("# mine\n", "its target changes");
	unlink(place_path("list"));
	is_int(image_file_remove(f, A, &e), -ENOENT, "no file");
}

#define N_WRITERS 4
#define N_LINES	  20

static void write_lines(const char *path, int writer)
{
	struct image_file f;
	char name[100];
	int i;

	if (image_file_init(&f, path, &e) < 0)
		_exit(1);
	for (i = 0; i < N_LINES; i++) {
		snprintf(name, sizeof(name), "docker.io/library/w%d:%d", writer, i);
		if (image_file_add(&f, name, &e) < 0)
			_exit(1);
		if (i % 4 == 3 && image_file_remove(&f, name, &e) < 0)
			_exit(1);
	}
	_exit(0);
}

/* Some add, and all replace the file now and then. */
static void check_writers(struct image_file *f)
{
	int i, status, n = 0, bad = 0;
	const char *p;

	for (i = 0; i < N_WRITERS; i++) {
		pid_t child = fork();

		if (child == 0)
			write_lines(f->path, i);
	}
	while (wait(&status) > 0)
		bad += status != 0;
	is_int(bad, 0, "writers at one time");
	is_int(image_file_look(f, &e), 1, "have written");
	for (p = buf_text(&f->text); (p = strchr(p, '\n')); p++)
		n++;
	is_int(n, N_WRITERS * N_LINES * 3 / 4, "and no line is lost");
}

int main(void)
{
	struct image_file f;

	place_make();
	if (chdir(place) < 0)
		exit(1);
	is_int(image_file_init(&f, "list", &e), 0, "a relative path");
	if (chdir("/") < 0)
		exit(1);
	is_text(f.path, place_path("list"), "is made absolute");
	check_look(&f);
	check_bad(&f);
	check_add(&f);
	check_remove(&f);
	check_writers(&f);
	image_file_release(&f);
	return test_done();
}
