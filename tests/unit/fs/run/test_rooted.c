/* SPDX-License-Identifier: MIT */
#include "fs/run/rooted.h"

#include <errno.h>
#include <fcntl.h>

#include "base/buf.h"
#include "tests/unit/place.h"
#include "tests/unit/test.h"

static int root;

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(place_path(path), "w");

	if (ok(f != NULL, "%s", path)) {
		fputs(text, f);
		fclose(f);
	}
}

static bool is_there(const char *path, mode_t type)
{
	struct stat st;

	return lstat(place_path(path), &st) == 0 && (st.st_mode & S_IFMT) == type;
}

static int make(const char *path, mode_t type)
{
	int fd = rooted_make(root, path, type);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static void makes_what_is_missing(void)
{
	is_int(make("/a/b//c", S_IFDIR), 0, "directories");
	ok(is_there("root/a/b/c", S_IFDIR), "are there");
	is_int(make("a/b/f", S_IFREG), 0, "a file");
	ok(is_there("root/a/b/f", S_IFREG), "is there");
	is_int(make("a/b/f", S_IFREG), 0, "again");
	is_int(make("/", S_IFDIR), 0, "the root");
	is_int(make("", S_IFDIR), 0, "is also this");
	is_int(make("a/b/f/x", S_IFREG), -ENOTDIR, "below a file");
	is_int(make("a/./../a/new", S_IFDIR), 0, "dots");
	ok(is_there("root/a/new", S_IFDIR), "are followed");
}

static void follows_links_inside(void)
{
	(void)!symlink("../../../../outside/x", place_path("root/up"));
	(void)!symlink("/run/resolve/stub", place_path("root/a/absolute"));
	(void)!symlink("b/../later", place_path("root/a/relative"));
	(void)!symlink("loop", place_path("root/loop"));
	is_int(make("up", S_IFREG), 0, "a link that leads up");
	ok(is_there("root/outside/x", S_IFREG) && !is_there("outside", S_IFDIR),
	   "stays in the root");
	is_int(make("a/absolute", S_IFREG), 0, "an absolute link");
	ok(is_there("root/run/resolve/stub", S_IFREG), "begins at the root");
	is_int(make("a/relative/deep", S_IFDIR), 0, "a link on the way");
	ok(is_there("root/a/later/deep", S_IFDIR), "to what is missing");
	is_int(make("loop/x", S_IFDIR), -ELOOP, "a loop");
	is_int(make("../../../top", S_IFDIR), 0, "the way up");
	ok(is_there("root/top", S_IFDIR), "ends at the root");
}

static void loads(void)
{
	struct buf out;

	write_file("root/a/text", "hello");
	write_file("secret", "secret");
	(void)!symlink("../secret", place_path("root/secret"));
	(void)!symlink("/proc/self/cwd", place_path("root/magic"));
	mkfifo(place_path("root/fifo"), 0600);
	buf_init(&out, 5);
	is_int(rooted_load(root, "/a/text", &out), 0, "a file");
	is_text(buf_text(&out), "hello", "its text");
	is_int(rooted_load(root, "/a/text", &out), -E2BIG, "above the ceiling");
	is_int(rooted_load(root, "/secret", &out), -ELOOP, "a link that cannot leave");
	is_int(rooted_load(root, "/../secret", &out), -ELOOP, "nor can a path");
	is_int(rooted_load(root, "/magic", &out), -ENOENT, "no /proc");
	is_int(rooted_load(root, "/a", &out), -EINVAL, "a directory");
	is_int(rooted_load(root, "/fifo", &out), -EINVAL, "a fifo does not wait");
	is_int(rooted_load(root, "/none", &out), -ENOENT, "nothing");
	buf_clear(&out);
	is_int(rooted_load_own("/proc/sys/kernel/ostype", &out), -E2BIG,
	       "of this system");
	buf_release(&out);
}

static void refuses_magic_links(void)
{
	int slash = open("/", O_PATH);

	is_int(rooted_open(slash, "/proc/self/cwd", O_PATH), -ELOOP, "a link of /proc");
	close(slash);
}

int main(void)
{
	place_make();
	mkdir(place_path("root"), 0755);
	root = open(place_path("root"), O_PATH | O_DIRECTORY);
	makes_what_is_missing();
	follows_links_inside();
	loads();
	refuses_magic_links();
	close(root);
	return test_done();
}
