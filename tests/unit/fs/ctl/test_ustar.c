/* SPDX-License-Identifier: MIT */
#include "fs/ctl/ustar.h"

#include <string.h>
#include <sys/sysmacros.h>

#include "tar/archive/header.h"
#include "tests/unit/test.h"

static char out[USTAR_MAX];

static struct stat file_of(mode_t mode, off_t size)
{
	return (struct stat){.st_mode = mode, .st_size = size, .st_mtim = {.tv_sec = 5}};
}

/* The header of the entry itself, as our reader parses it. */
static struct header parsed(size_t len)
{
	struct header h = {0};

	if (len == 0 ||
	    header_parse((const uint8_t *)out + len - USTAR_BLOCK, &h, NULL) < 0)
		h.type = '?';
	return h;
}

static void test_fields(void)
{
	struct stat st = file_of(S_IFREG | 04755, 01234567);
	struct header h;

	st.st_uid = 07777777;
	st.st_gid = 3;
	h = parsed(ustar_format("d/f", &st, NULL, false, out));
	is_int(h.type, '0', "fields");
	is_int(h.mode, 04755, "fields");
	is_int(h.uid, 07777777, "fields");
	is_int(h.gid, 3, "fields");
	is_int(h.size, 01234567, "fields");
	is_int(h.mtime, 5, "fields");
	ok(h.name_len == 3 && memcmp(h.name, "d/f", 3) == 0, "fields");

	st = file_of(S_IFBLK | 0600, 9);
	st.st_rdev = makedev(259, 70000);
	h = parsed(ustar_format("b", &st, NULL, false, out));
	ok(h.type == '4' && h.dev_major == 259 && h.dev_minor == 70000 && h.size == 0,
	   "fields");

	st = file_of(S_IFLNK | 0777, 4);
	h = parsed(ustar_format("l", &st, "to/a", false, out));
	ok(h.type == '2' && h.link_len == 4 && memcmp(h.link, "to/a", 4) == 0, "fields");
	st = file_of(S_IFREG | 0644, 100);
	h = parsed(ustar_format("hard", &st, "d/f", true, out));
	ok(h.type == '1' && h.size == 0 && h.link_len == 3, "fields");
	st = file_of(S_IFDIR | 0755, 0);
	h = parsed(ustar_format("d", &st, NULL, false, out));
	ok(h.type == '5' && h.name_len == 2 && h.name[1] == '/', "fields");
	h = parsed(ustar_format("./", &st, NULL, false, out));
	ok(h.type == '5' && h.name_len == 2, "fields");
}

static void test_refused(void)
{
	struct stat st = file_of(S_IFREG | 0644, 077777777777);

	is_int(ustar_format("f", &st, NULL, false, out), USTAR_BLOCK, "refused");
	st.st_size++;
	is_int(ustar_format("f", &st, NULL, false, out), 0, "refused");
	st = file_of(S_IFREG | 0644, 0);
	st.st_gid = 010000000;
	is_int(ustar_format("f", &st, NULL, false, out), 0, "refused");
	st = file_of(S_IFSOCK | 0644, 0);
	is_int(ustar_format("f", &st, NULL, false, out), 0, "refused");
	st = file_of(S_IFLNK | 0644, 0);
	is_int(ustar_format("f\x80", &st, "t", false, out), 0, "refused");
	is_int(ustar_format("f", &st, "t\xc3\xa9", false, out), 0, "refused");
}

/* A name of @dirs bytes, a slash, and @base bytes. */
static const char *make_name(size_t dirs, size_t base)
{
	static char name[600];

	memset(name, 'd', dirs);
	name[dirs] = '/';
	memset(name + dirs + 1, 'b', base);
	name[dirs + 1 + base] = '\0';
	return name;
}

static const struct {
	size_t dirs, base;
	mode_t type;
	bool fits;
} names[] = {
	{49, 50, S_IFREG, true},    {50, 50, S_IFREG, true},	{155, 100, S_IFREG, true},
	{156, 100, S_IFREG, false}, {155, 101, S_IFREG, false}, {155, 99, S_IFDIR, true},
	{155, 100, S_IFDIR, false}, {49, 50, S_IFDIR, true},	{0, 100, S_IFREG, false},
	{0, 99, S_IFREG, true},
};

static void test_names(void)
{
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *name = make_name(names[i].dirs, names[i].base);
		struct stat st = file_of(names[i].type | 0755, 0);
		size_t len = ustar_format(name, &st, NULL, false, out);
		struct header h = parsed(len);
		char whole[600] = "";

		is_int(len, names[i].fits ? USTAR_BLOCK : 0, "names row %zu", i);
		if (len == 0)
			continue;
		memcpy(whole, h.prefix, h.prefix_len);
		if (h.prefix_len > 0)
			strcat(whole, "/");
		strncat(whole, h.name, h.name_len);
		if (S_ISDIR(names[i].type))
			whole[strlen(whole) - 1] = '\0';
		is_text(whole, name, "names row %zu", i);
	}
}

static const struct {
	struct timespec time;
	const char *record; /* NULL: none */
} times[] = {
	{{0, 0}, NULL},
	{{1700000000, 0}, NULL},
	{{077777777777, 0}, NULL},
	{{1700000000, 5}, "30 mtime=1700000000.000000005\n"},
	{{0100000000000, 0}, "30 mtime=8589934592.000000000\n"},
	{{-1, 0}, "22 mtime=-1.000000000\n"},
	{{-1, 750000000}, "22 mtime=-0.250000000\n"},
	{{-5, 500000000}, "22 mtime=-4.500000000\n"},
};

static void test_times(void)
{
	size_t i;

	for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		struct stat st = {.st_mode = S_IFREG | 0644, .st_mtim = times[i].time};
		size_t len = ustar_format("f", &st, NULL, false, out);
		struct header h;

		is_int(parsed(len).type, '0', "times row %zu", i);
		is_int(len, times[i].record ? USTAR_MAX : USTAR_BLOCK, "times row %zu",
		       i);
		if (!times[i].record)
			continue;
		is_int(header_parse((const uint8_t *)out, &h, NULL), 0, "times row %zu",
		       i);
		is_int(h.type, 'x', "times row %zu", i);
		is_int(h.size, strlen(times[i].record), "times row %zu", i);
		is_text(out + USTAR_BLOCK, times[i].record, "times row %zu", i);
	}
}

int main(void)
{
	test_fields();
	test_refused();
	test_names();
	test_times();
	return test_done();
}
