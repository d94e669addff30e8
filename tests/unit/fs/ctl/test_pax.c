/* SPDX-License-Identifier: MIT */
/* The whole archive, read by GNU tar and bsdtar, is for tests/e2e/test_peelctl_tar.py. */
#include "fs/ctl/pax.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tar/archive/header.h"
#include "tests/unit/test.h"

#define BLOCK 512

static const struct stat file = {
	.st_mode = S_IFREG | 0644, .st_size = 700, .st_mtim = {.tv_sec = 9}};

static char *archive;
static size_t archive_len;

static void read_archive(int fd)
{
	free(archive);
	archive_len = (size_t)lseek(fd, 0, SEEK_END);
	archive = malloc(archive_len + 1);
	if (!archive || pread(fd, archive, archive_len, 0) != (ssize_t)archive_len)
		exit(1);
}

/* The types of the headers, in order; content is stepped over. "?" for what is no header. */
static const char *types(void)
{
	static char out[32];
	struct header h;
	size_t at = 0, n = 0;

	while (at + BLOCK <= archive_len && n < sizeof(out) - 1) {
		const uint8_t *block = (const uint8_t *)archive + at;

		if (header_is_zero(block))
			break;
		if (header_parse(block, &h, NULL) < 0) {
			out[n++] = '?';
			break;
		}
		out[n++] = h.type;
		at += BLOCK + (h.size + BLOCK - 1) / BLOCK * BLOCK;
	}
	out[n] = '\0';
	return out;
}

static int put_file(struct pax *p, const char *name, const char *xattr)
{
	char content[700];
	int rc = pax_begin(p, name, &file);

	memset(content, name[0], sizeof(content));
	if (rc == 0 && xattr)
		rc = pax_add_xattr(p, xattr, "v", 1);
	if (rc == 0)
		rc = pax_put(p);
	return rc < 0 ? rc : pax_write(p, content, sizeof(content));
}

/* Entries of both makers in turn; contents that end early, and that are skipped. */
static void test_mixed(int fd)
{
	struct pax *p = NULL;
	int rc = pax_new(fd, &p);

	is_int(rc, 0, "new");
	if (rc < 0)
		return;
	is_int(put_file(p, "a", NULL), 0, "plain");
	is_int(put_file(p, "b", "user.x"), 0, "with an xattr");
	is_int(put_file(p, "c", NULL), 0, "plain again");
	is_int(pax_write(p, "x", 1), -EIO, "more than the header says");
	is_int(pax_begin(p, "given up", &file), 0, "begun");
	is_int(pax_add_xattr(p, "user.y", "v", 1), 0, "with an xattr");
	is_int(pax_begin(p, "d", &file), 0, "another begun instead");
	is_int(pax_put(p), 0, "put");
	is_int(pax_skip(p, 700), 0, "skipped");
	is_int(pax_begin(p, "link", &file), 0, "begun");
	is_int(pax_set_hardlink(p, "a"), 0, "a link");
	is_int(pax_put(p), 0, "put");
	is_int(pax_end(p), 0, "end");
	pax_free(p);
	read_archive(fd);
	is_text(types(),
		"0"
		"x0"
		"0"
		"0"
		"1",
		"the entries");
	is_int(archive_len, 10240, "a whole record");
	ok(archive[BLOCK + 699] == 'a' && archive[BLOCK + 700] == '\0',
	   "padded by zeros");
	ok(memmem(archive, archive_len, "SCHILY.xattr.user.x=v\n", 22) != NULL,
	   "an xattr");
	ok(memmem(archive, archive_len, "user.y", 6) == NULL,
	   "none of what was given up");
}

static void test_holes(int fd)
{
	struct stat st = file;
	struct pax *p = NULL;

	st.st_size = 1 << 20;
	if (pax_new(fd, &p) < 0)
		exit(1);
	is_int(pax_begin(p, "sparse", &st), 0, "begun");
	pax_add_piece(p, 4096, 3);
	is_int(pax_put(p), 0, "put");
	is_int(pax_skip(p, 4096), 0, "a hole");
	is_int(pax_write(p, "abc", 3), 0, "data");
	is_int(pax_skip(p, (1 << 20) - 4099), 0, "the last hole");
	is_int(pax_end(p), 0, "end");
	pax_free(p);
	read_archive(fd);
	is_text(types(), "x0", "the entry");
	ok(memmem(archive, archive_len, "GNU.sparse.realsize=1048576\n", 28) != NULL,
	   "size");
	is_int(archive_len, 10240, "short");
}

static void test_refused(int fd)
{
	struct pax *p = NULL;

	if (pax_new(fd, &p) < 0)
		exit(1);
	is_int(pax_begin(p, "p\xed\xa0\x81\xed\xb0\xb7", &file), -EILSEQ, "surrogates");
	is_int(pax_begin(p, "p\xed\xa0\x81", &file), 0, "half a pair");
	is_int(pax_begin(p, "p\xed\x9f\xbf\xed\xb0\x80", &file), 0, "another character");
	is_int(pax_set_symlink(p, "\xed\xa0\x81\xed\xb0\xb7"), -EILSEQ, "a target");
	is_int(pax_set_hardlink(p, "\xed\xa0\x81\xed\xb0\xb7"), -EILSEQ, "a link");
	is_int(pax_add_xattr(p, "user.a b", "", 0), -EILSEQ, "a blank in a name");
	is_int(pax_add_xattr(p, "user.%", "", 0), -EILSEQ, "a percent sign");
	is_int(pax_add_xattr(p, "user.=", "", 0), -EILSEQ, "an equals sign");
	is_int(pax_add_xattr(p, "user.\xc3\xa9", "", 0), -EILSEQ, "not ASCII");
	pax_free(p);
	read_archive(fd);
	is_int(archive_len, 0, "nothing was written");
}

static void test_output(void)
{
	int rc = 0, fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct pax *p = NULL;
	int i;

	if (fd < 0 || pax_new(fd, &p) < 0)
		exit(1);
	for (i = 0; rc == 0 && i < 1000; i++)
		rc = put_file(p, "f", i % 2 ? "user.x" : NULL);
	is_int(rc, -ENOSPC, "a full disk");
	pax_free(p);
	close(fd);
}

static int new_file(void)
{
	int fd = memfd_create("archive", MFD_CLOEXEC);

	if (fd < 0)
		exit(1);
	return fd;
}

int main(void)
{
	int fds[3] = {new_file(), new_file(), new_file()};
	size_t i;

	test_mixed(fds[0]);
	test_holes(fds[1]);
	test_refused(fds[2]);
	test_output();
	for (i = 0; i < 3; i++)
		close(fds[i]);
	free(archive);
	return test_done();
}
