/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/err.h"
#include "fs/options/options.h"
#include "tests/unit/test.h"

#define ARGS_MAX 16

/* @line: words after the program's name; root or not. */
static int parse(struct options *o, const char *line, bool root, struct err *e)
{
	static char copy[256];
	char name[] = "peelfs", *argv[ARGS_MAX] = {name}, *rest = copy, *word;
	int argc = 1;

	snprintf(copy, sizeof(copy), "%s", line);
	while ((word = strsep(&rest, " ")))
		argv[argc++] = word;
	e->text[0] = '\0';
	return options_parse(o, argc, argv, root, e);
}

static void refuse(const char *line, const char *about)
{
	struct options o;
	struct err e;

	is_int(parse(&o, line, true, &e), -EINVAL, "refused: %s", line);
	ok(strstr(e.text, about) != NULL, "the sentence is about %s: %s", about, e.text);
	options_release(&o);
}

static void kernel(const char *line, bool root, const char *want)
{
	struct options o;
	struct err e;

	is_int(parse(&o, line, root, &e), 0, "%s", line);
	is_text(buf_text(&o.kernel), want, "goes down%s", root ? "" : ", not root");
	options_release(&o);
}

static void check_forms(void)
{
	static const char *const lines[] = {
		"-f -v -o cache_dir=/c,layout=rootfs nginx:1 /mnt",
		"nginx:1 /mnt -f -v -o cache_dir=/c,layout=rootfs",
		"nginx:1 -fvocache_dir=/c -olayout=rootfs /mnt",
		"-fv -o cache_dir=/x -o cache_dir=/c -o layout=rootfs -- nginx:1 /mnt",
	};
	struct options o;
	struct err e;
	size_t i;

	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		is_int(parse(&o, lines[i], true, &e), 0, "%s", lines[i]);
		is_text(o.source, "nginx:1", "source");
		is_text(o.mountpoint, "/mnt", "mount point");
		is_text(o.cache_dir, "/c", "the last value counts");
		ok(o.foreground && o.verbose && !o.debug && o.layout == LAYOUT_ROOTFS,
		   "the rest");
		options_release(&o);
	}
	is_int(parse(&o, "-o a_comma\\,=1 x y", true, &e), -EINVAL, "an escaped comma");
	ok(strstr(e.text, "a_comma,") != NULL, "is part of the name");
	options_release(&o);
	is_int(parse(&o, "-o cache_dir=/a\\,b\\\\c x y", true, &e), 0, "and in a value");
	is_text(o.cache_dir, "/a,b\\c", "of it");
	options_release(&o);
}

static void check_values(void)
{
	struct options o;
	struct err e;

	is_int(parse(&o, "-o platform=linux/arm64,connections=3,timeout=7,insecure x y",
		     true, &e),
	       0, "values");
	is_text(o.platform.arch, "arm64", "platform");
	is_int(o.client.connections, 3, "connections");
	is_int(o.client.timeout, 7, "timeout");
	ok(o.uid == -1 && o.gid == -1, "the image says who owns what");
	ok(o.client.insecure && !o.client.offline && !o.allow_other &&
		   !o.default_permissions,
	   "flags");
	options_release(&o);
	parse(&o, "-o allow_other x y", true, &e);
	ok(o.default_permissions, "who lets others in enforces modes");
	options_release(&o);
	is_int(parse(&o, "-o uid=0,gid=4294967294 x y", true, &e), 0,
	       "unless one is named");
	ok(o.uid == 0 && o.gid == 4294967294, "by number, 0 too");
	options_release(&o);
	is_int(parse(&o, "-o ino=unique x y", true, &e), 0, "ino=unique");
	is_int(o.ino, INO_UNIQUE, "is the second choice");
	options_release(&o);
	is_int(parse(&o, "-o images=/list,layout=store / y", true, &e), 0, "a store");
	ok(o.layout == LAYOUT_STORE && strcmp(o.images, "/list") == 0, "and its list");
	options_release(&o);
	is_int(parse(&o, "-o layout=erofs x y", true, &e), 0, "files of layers");
	ok(o.layout == LAYOUT_EROFS && !o.images, "of one image");
	options_release(&o);
	is_int(parse(&o, "-o ino32 x y", true, &e), 0, "ino32");
	ok(o.ino32 && o.ino == INO_CONTENT, "leaves the kind of number");
	options_release(&o);
	is_int(parse(&o, "-o index=registry,cache=none x y", true, &e), 0, "choices");
	ok(o.tocs == TOCS_REGISTRY && o.cache == CACHE_NONE && o.layout == LAYOUT_IMAGE,
	   "by their order");
	options_release(&o);
	is_int(parse(&o, "-o erofs,layout=rootfs x y", true, &e), 0, "an EROFS");
	ok(o.erofs && o.wait && o.layout == LAYOUT_IMAGE && options_shows_rootfs(&o),
	   "of the whole tree, with the documents below");
	options_release(&o);
	parse(&o, "-h", true, &e);
	is_int(o.action, OPTIONS_HELP, "-h needs no operands");
	options_release(&o);
	parse(&o, "--version", true, &e);
	is_int(o.action, OPTIONS_VERSION, "nor does --version");
	options_release(&o);
}

int main(void)
{
	check_forms();
	check_values();

	kernel("x y -o rw,nosuid,nodev,user,nofail,_netdev,x-systemd.automount,uhelper=u",
	       true, ",nosuid,nodev");
	kernel("-n -v -t fuse.peelfs -N /proc/1/ns x y -o dev,suid,noexec", true,
	       ",dev,suid,noexec");
	kernel("x y -o dev,suid,noexec", false, ",noexec");
	kernel("x y -o context=a\\,b", true, ",context=a\\,b");
	kernel("-s x y -o who_knows,ro", true, "");
	kernel("x y -o who_knows -s", true, "");

	refuse("", "source");
	refuse("x", "mount point");
	refuse("x y z", "z");
	refuse("-o who_knows x y", "who_knows");
	refuse("-o erofs x y", "layout=rootfs");
	refuse("-o erofs,layout=rootfs,gid=0 x y", "gid=");
	refuse("-q x y", "-q");
	refuse("--long x y", "--long");
	refuse("x y -o", "-o");
	refuse("-o cache_dir x y", "cache_dir");
	refuse("-o cache_dir= x y", "cache_dir");
	refuse("-o insecure=1 x y", "insecure");
	refuse("-o timeout=0 x y", "timeout");
	refuse("-o timeout=5s x y", "timeout");
	refuse("-o layout=tree x y", "layout=tree");
	refuse("-o images=/list x y", "layout=store");
	refuse("-o images=/list,layout=rootfs x y", "layout=erofs");
	refuse("-o images=,layout=store x y", "images");
	refuse("-o ino=other x y", "content|unique");
	refuse("-o ino=uniqu x y", "ino=uniqu");
	refuse("-o ino=content|unique x y", "expected");
	refuse("-o =1 x y", "=1");
	refuse("-o cache_di=/c x y", "cache_di");
	refuse("-o rela x y", "rela");
	refuse("-o uid=root x y", "number of a user");
	refuse("-o gid=4294967295 x y", "number of a group");
	refuse("-o uid=-1 x y", "uid=-1");
	refuse("-o uid=4294967295 x y", "from 0 to 4294967294");
	refuse("-o timeout=1000001 x y", "from 1 to 1000000");
	refuse("-o cache_size=16777216T x y", "from 1 to 16777215T");
	refuse("--platform x y", "--platform; -o platform=OS/ARCH[/VARIANT]?");
	refuse("--platform=linux/arm64 x y", "-o platform=");
	refuse("-o platfrom=linux/arm64 x y", "platfrom=linux/arm64; -o platform=");
	refuse("-o insecur x y", "insecur; -o insecure?");
	refuse("-o allow_others x y", "-o allow_other?");
	refuse("-o cache_sizes=1 x y", "-o cache_size=SIZE?");
	refuse("-o uid= x y", "uid");
	refuse("x y -o remount,rw", "unmount it");
	refuse("-s x y -o remount", "unmount it");
	refuse("-o platform=a/b/c/d x y", "a/b/c/d");
	return test_done();
}
