/* SPDX-License-Identifier: MIT */
#include "fs/run/devices.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "fs/run/ids.h"
#include "fs/run/mounts.h"
#include "fs/run/rooted.h"

#define SAFE (MOUNTS_NOSUID | MOUNTS_NODEV | MOUNTS_NOEXEC)

/* Of /etc/hosts: lists that block 100,000 hosts. */
#define NETWORK_FILE_MAX (8 << 20)

/* Attaches @mount, or the error that it is, to @path, which is made as @type. Closes it. */
static int put(int root, const char *path, mode_t type, int mount)
{
	int target, rc = mount;

	if (mount < 0)
		return mount;
	rc = target = rooted_make(root, path, type);
	if (target >= 0) {
		rc = mounts_attach(mount, target);
		close(target);
	}
	close(mount);
	return rc;
}

static int fail(struct err *e, int rc, const char *path)
{
	return rc < 0 ? err_set(e, rc, "cannot mount %s in the sandbox: %s", path,
				strerror(-rc))
		      : 0;
}

static int copy_read_only(int dir, const char *path)
{
	int rc, fd = mounts_copy(dir, path);

	if (fd < 0)
		return fd;
	rc = mounts_make_read_only(fd);
	if (rc < 0)
		close(fd);
	return rc < 0 ? rc : fd;
}

/* THE KERNEL'S */

/* What is of the whole machine, as in podman. What a kernel does not have is left out. */
static const char *const hidden[] = {
	"/proc/acpi",	     "/proc/kcore",   "/proc/keys",	  "/proc/latency_stats",
	"/proc/sched_debug", "/proc/scsi",    "/proc/timer_list", "/proc/timer_stats",
	"/sys/dev/block",    "/sys/firmware", "/sys/fs/selinux",  NULL,
};
static const char *const read_only[] = {
	"/proc/asound", "/proc/bus",	       "/proc/fs", "/proc/irq",
	"/proc/sys",	"/proc/sysrq-trigger", NULL,
};

static int attach_and_close(int mount, int target)
{
	int rc = mount < 0 ? mount : mounts_attach(mount, target);

	if (mount >= 0)
		close(mount);
	close(target);
	return rc;
}

static int hide(int root, const char *path)
{
	int target = rooted_open(root, path, O_PATH);
	struct stat st;

	if (target < 0)
		return target == -ENOENT ? 0 : target;
	if (fstat(target, &st) == 0 && S_ISDIR(st.st_mode))
		return attach_and_close(
			mounts_new("tmpfs", "tmpfs", NULL, SAFE | MOUNTS_RDONLY), target);
	return attach_and_close(mounts_copy(AT_FDCWD, "/dev/null"), target);
}

static int protect(int root, const char *path)
{
	int target = rooted_open(root, path, O_PATH);

	if (target < 0)
		return target == -ENOENT ? 0 : target;
	return attach_and_close(copy_read_only(target, ""), target);
}

static int for_each(const char *const *path, int (*fn)(int root, const char *path),
		    int root, struct err *e)
{
	int rc = 0;

	for (; rc == 0 && *path; path++)
		rc = fail(e, fn(root, *path), *path);
	return rc;
}

/* Of a new network namespace it can be new; else it is a copy of the one outside. */
static int mount_sys(int root, bool owns_network)
{
	int rc = -EPERM;

	if (owns_network)
		rc = mounts_new("sysfs", "sysfs", NULL, SAFE | MOUNTS_RDONLY);
	if (rc < 0)
		rc = copy_read_only(AT_FDCWD, "/sys");
	if (rc == -ENOENT || rc == -EINVAL)
		return 0;
	return put(root, "/sys", S_IFDIR, rc);
}

int devices_mount_kernel(int root, bool owns_network, struct err *e)
{
	int rc = put(root, "/proc", S_IFDIR, mounts_new("proc", "proc", NULL, SAFE));

	rc = fail(e, rc, "/proc");
	if (rc == 0)
		rc = fail(e, mount_sys(root, owns_network), "/sys");
	if (rc == 0)
		rc = for_each(hidden, hide, root, e);
	return rc < 0 ? rc : for_each(read_only, protect, root, e);
}

/* DEVICES */

static const char *const nodes[] = {"null",    "zero", "full", "random",
				    "urandom", "tty",  NULL};

static const struct link {
	const char *name, *target;
} links[] = {
	{"ptmx", "pts/ptmx"},	       {"fd", "/proc/self/fd"},
	{"stdin", "/proc/self/fd/0"},  {"stdout", "/proc/self/fd/1"},
	{"stderr", "/proc/self/fd/2"}, {NULL, NULL},
};

static int add_nodes(int dev)
{
	const char *const *name = nodes;
	char path[32];
	int rc = 0;

	for (; rc == 0 && *name; name++) {
		snprintf(path, sizeof(path), "/dev/%s", *name);
		rc = put(dev, *name, S_IFREG, mounts_copy(AT_FDCWD, path));
	}
	return rc;
}

static int add_links(int dev)
{
	const struct link *l = links;

	for (; l->name; l++) {
		if (symlinkat(l->target, dev, l->name) < 0)
			return -errno;
	}
	return 0;
}

/* The group 5, tty, owns terminals where there is such a group. */
static int add_terminals(int dev, const struct ids *ids)
{
	const struct mount_option options[] = {
		{"newinstance", NULL}, {"ptmxmode", "0666"},
		{"mode", "0620"},      {ids_has(&ids->groups, 5) ? "gid" : NULL, "5"},
		{NULL, NULL},
	};

	return put(
		dev, "pts", S_IFDIR,
		mounts_new("devpts", "devpts", options, MOUNTS_NOSUID | MOUNTS_NOEXEC));
}

static int add_shared_memory(int dev)
{
	static const struct mount_option options[] = {
		{"mode", "1777"}, {"size", "65536k"}, {NULL, NULL}};
	int rc = put(dev, "shm", S_IFDIR, mounts_new("tmpfs", "shm", options, SAFE));

	/* Not every kernel has message queues. */
	if (rc == 0)
		(void)put(dev, "mqueue", S_IFDIR,
			  mounts_new("mqueue", "mqueue", NULL, SAFE));
	return rc;
}

int devices_mount_dev(int root, const struct ids *ids, struct err *e)
{
	static const struct mount_option options[] = {
		{"mode", "0755"}, {"size", "64k"}, {NULL, NULL}};
	int dev, rc;

	rc = put(root, "/dev", S_IFDIR,
		 mounts_new("tmpfs", "tmpfs", options, MOUNTS_NOSUID | MOUNTS_NOEXEC));
	rc = dev = rc < 0 ? rc : rooted_open(root, "/dev", O_PATH | O_DIRECTORY);
	if (rc >= 0)
		rc = add_nodes(dev);
	if (rc == 0)
		rc = add_links(dev);
	if (rc == 0)
		rc = add_terminals(dev, ids);
	if (rc == 0)
		rc = add_shared_memory(dev);
	if (dev >= 0)
		close(dev);
	return fail(e, rc, "/dev");
}

int devices_open_terminal(int root, int *master, int *slave, struct err *e)
{
	int lock = 0, number = 0, rc = 0, m, s = -1;
	char path[32];

	m = rooted_open(root, "/dev/pts/ptmx", O_RDWR | O_NOCTTY);
	if (m < 0)
		return err_set(e, m, "cannot open a terminal: %s", strerror(-m));
	if (ioctl(m, TIOCSPTLCK, &lock) < 0 || ioctl(m, TIOCGPTN, &number) < 0)
		rc = -errno;
	snprintf(path, sizeof(path), "/dev/pts/%d", number);
	if (rc == 0)
		rc = s = rooted_open(root, path, O_RDWR | O_NOCTTY);
	if (s >= 0)
		rc = put(root, "/dev/console", S_IFREG, mounts_copy(s, ""));
	if (rc == 0) {
		*master = m;
		*slave = s;
		return 0;
	}
	close(m);
	if (s >= 0)
		close(s);
	return err_set(e, rc, "cannot open a terminal: %s", strerror(-rc));
}

/* THE NETWORK */

static int write_copy(int store, const char *name, const struct buf *text)
{
	int rc, fd = openat(store, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0)
		return -errno;
	rc = fd_write_all(fd, buf_text(text), text->len, 0);
	close(fd);
	return rc;
}

/* NULL @text: that of the file outside, if there is one. */
static int add_file(int root, int store, const char *path, const char *text,
		    struct err *e)
{
	const char *name = strrchr(path, '/') + 1;
	struct buf b;
	int rc;

	buf_init(&b, NETWORK_FILE_MAX);
	rc = text ? buf_append_text(&b, text) : rooted_load_own(path, &b);
	if (rc == 0)
		rc = write_copy(store, name, &b);
	if (rc == 0)
		rc = put(root, path, S_IFREG, mounts_copy(store, name));
	buf_release(&b);
	return rc == -ENOENT ? 0 : fail(e, rc, path);
}

int devices_add_network_files(int root, int store, bool has_network, struct err *e)
{
	static const char alone[] = "127.0.0.1 localhost\n::1 localhost\n";
	int rc = add_file(root, store, "/etc/hosts", has_network ? NULL : alone, e);

	if (rc < 0 || !has_network)
		return rc;
	return add_file(root, store, "/etc/resolv.conf", NULL, e);
}

int devices_start_loopback(struct err *e)
{
	struct ifreq request = {.ifr_name = "lo"};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc = 0;

	request.ifr_flags = IFF_UP | IFF_RUNNING;
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		rc = -errno;
	if (fd >= 0)
		close(fd);
	return rc < 0 ? err_set(e, rc, "cannot start the loopback interface: %s",
				strerror(-rc))
		      : 0;
}
