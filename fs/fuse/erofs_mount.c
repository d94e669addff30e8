/* SPDX-License-Identifier: MIT */
/*
 * /proc/mounts shows the name by which the kernel opened the source. For users that is to be
 * the image, as with FUSE. So the name is a symlink below the current directory of a thread
 * of its own, which is a tmpfs that is attached nowhere either.
 *
 * The kernel reads metadata page by page. So they are read here first, which takes a request
 * for each MiB of them.
 */
#include "fs/fuse/erofs_mount.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/loop.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/unattached.h"
#include "fs/erofs/image.h"
#include "fs/fuse/detached.h"
#include "fs/image/context.h"
#include "fs/image/view.h"
#include "fs/options/options.h"
#include "fs/run/mounts.h"

#define IMAGE_NAME "rootfs.erofs"

/* fsconfig(2) takes strings of at most 256 bytes, with the NUL. */
#define SOURCE_MAX 255

/* Labels of SELinux: context=, fscontext=, defcontext=, rootcontext=. */
#define LABELS_MAX 4

/* A request for metadata, and how much of them is read ahead: much of a very large image. */
#define READ_SIZE (1 << 20)
#define READ_MAX  (256 << 20)

/* Another process may take a loop device that was free. */
#define LOOP_TRIES 16

/* WHAT THE MACHINE CAN */

static int cannot_mount(int rc, struct err *e)
{
	if (rc == -ENODEV)
		return err_set(e, rc,
			       "the kernel has no EROFS (`modprobe erofs` as root; "
			       "without -o erofs peelfs does without it)");
	if (rc == -ENOSYS)
		return err_set(e, rc, "-o erofs needs Linux 5.12 or later");
	if (rc == -EPERM || rc == -EACCES)
		return err_set(e, rc,
			       "the kernel lets only root mount an EROFS, and not in a "
			       "user namespace (without -o erofs peelfs needs neither)");
	return err_set(e, rc, "the kernel does not mount an EROFS: %s", strerror(-rc));
}

int erofs_mount_check(struct err *e)
{
	int rc = mounts_probe("erofs");

	return rc < 0 ? cannot_mount(rc, e) : 0;
}

/* THE FUSE MOUNT */

int erofs_mount_open(struct erofs_mount *m, struct err *e)
{
	char number[16];
	const struct mount_option options[] = {
		{"fd", number},	   {"rootmode", "40000"}, {"user_id", "0"},
		{"group_id", "0"}, {"allow_other", NULL}, {NULL, NULL},
	};
	int device = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	*m = (struct erofs_mount){.fuse = -1};
	if (device < 0)
		return err_set(e, -errno, "cannot open /dev/fuse: %s", strerror(errno));
	snprintf(number, sizeof(number), "%d", device);
	m->fuse = mounts_new("fuse", "peelfs", options,
			     MOUNTS_NOSUID | MOUNTS_NODEV | MOUNTS_RDONLY);
	if (m->fuse < 0) {
		close(device);
		return err_set(e, m->fuse, "cannot make a FUSE mount: %s",
			       strerror(-m->fuse));
	}
	snprintf(m->device, sizeof(m->device), "/dev/fd/%d", device);
	return 0;
}

void erofs_mount_leave(struct erofs_mount *m)
{
	int fd = __atomic_exchange_n(&m->fuse, -1, __ATOMIC_SEQ_CST);

	if (fd < 0)
		return;
	if (m->dev)
		unattached_forget(m->dev);
	close(fd);
}

/* OPTIONS */

struct erofs_options {
	unsigned flags;
	struct mount_option list[1 + LABELS_MAX + 1]; /* point into what was parsed */
	size_t n;
};

/* As libfuse reads them for root: set-user-ID bits and devices only if they are asked for. */
static void take_option(struct erofs_options *out, char *text)
{
	static const struct {
		const char *name;
		unsigned set, clear;
	} known[] = {
		{"nosuid", MOUNTS_NOSUID, 0}, {"suid", 0, MOUNTS_NOSUID},
		{"nodev", MOUNTS_NODEV, 0},   {"dev", 0, MOUNTS_NODEV},
		{"noexec", MOUNTS_NOEXEC, 0}, {"exec", 0, MOUNTS_NOEXEC},
	};
	char *value = strchr(text, '=');
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(text, known[i].name) == 0)
			out->flags = (out->flags | known[i].set) & ~known[i].clear;
	}
	if (!value || out->n == 1 + LABELS_MAX)
		return;
	*value = '\0';
	out->list[out->n++] = (struct mount_option){text, value + 1};
}

/* @list as options.kernel; it is changed. */
static void parse_options(char *list, struct erofs_options *out)
{
	char *from = list, *to = list, *text = list;

	/* Without "ro" the kernel wants to write to a loop device. */
	*out = (struct erofs_options){
		.flags = MOUNTS_NOSUID | MOUNTS_NODEV | MOUNTS_RDONLY,
		.list = {{"ro", NULL}},
		.n = 1,
	};
	for (; *from; from++) {
		if (*from == ',') {
			*to++ = '\0';
			take_option(out, text);
			text = to;
			continue;
		}
		if (*from == '\\' && from[1])
			from++;
		*to++ = *from;
	}
	*to = '\0';
	take_option(out, text);
}

/* THE SOURCE */

/* Makes the symlink @name to @target in the directory @dir, with the directories around it. */
static int make_link(int dir, const char *name, const char *target)
{
	char path[SOURCE_MAX + 1], *p;

	if (strlen(name) > SOURCE_MAX || name[0] == '/' || strstr(name, ".."))
		return -EINVAL;
	strcpy(path, name);
	for (p = path; (p = strchr(p, '/')); p++) {
		*p = '\0';
		if (mkdirat(dir, path, 0700) < 0 && errno != EEXIST)
			return -errno;
		*p = '/';
	}
	return symlinkat(target, dir, path) < 0 ? -errno : 0;
}

struct mounting {
	const struct erofs_options *options;
	const char *source; /* as users know it */
	const char *target; /* a path */
	int result;	    /* a mount that is attached nowhere */
};

static int mount_by_name(const struct mounting *m)
{
	int dir = mounts_new("tmpfs", "peelfs", NULL, 0), rc = dir;
	const char *name = m->source;

	/* The current directory of this thread alone. */
	if (rc >= 0 && (unshare(CLONE_FS) < 0 || fchdir(dir) < 0))
		rc = -errno;
	if (rc >= 0)
		rc = make_link(dir, name, m->target);
	if (rc < 0)
		name = m->target;
	rc = mounts_new("erofs", name, m->options->list, m->options->flags);
	if (dir >= 0)
		close(dir);
	return rc;
}

static void *run_mounting(void *arg)
{
	struct mounting *m = arg;

	m->result = mount_by_name(m);
	return NULL;
}

static int mount_path(const struct erofs_options *o, const char *source,
		      const char *target)
{
	struct mounting m = {.options = o, .source = source, .target = target};
	pthread_t thread;
	int rc = -pthread_create(&thread, NULL, run_mounting, &m);

	if (rc < 0)
		return rc;
	pthread_join(thread, NULL);
	return m.result;
}

/* A loop device goes when the last one closes it. Returns one that is open, and its path. */
static int open_loop(int image, char *path, size_t size)
{
	struct loop_config config = {
		.fd = (unsigned)image,
		.info.lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR,
	};
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), fd = -1;
	int n, i, rc = control < 0 ? -errno : -EBUSY;

	for (i = 0; control >= 0 && rc == -EBUSY && i < LOOP_TRIES; i++) {
		n = ioctl(control, LOOP_CTL_GET_FREE);
		snprintf(path, size, "/dev/loop%d", n);
		fd = n < 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC);
		rc = fd < 0 || ioctl(fd, LOOP_CONFIGURE, &config) < 0 ? -errno : 0;
		if (rc < 0 && fd >= 0)
			close(fd);
	}
	if (control >= 0)
		close(control);
	return rc < 0 ? rc : fd;
}

static int mount_loop(const struct erofs_options *o, const char *source, int image,
		      struct err *e)
{
	char path[32];
	int loop = open_loop(image, path, sizeof(path)), rc;

	if (loop < 0)
		return err_set(
			e, loop,
			"this kernel mounts no EROFS from a file (Linux 6.12 does), "
			"and there is no loop device: %s",
			strerror(-loop));
	rc = mount_path(o, source, path);
	close(loop);
	return rc < 0 ? cannot_mount(rc, e) : rc;
}

/* ENOTBLK and EINVAL: from an older kernel, or one without that. */
static int mount_image(const struct erofs_options *o, const char *source, int image,
		       struct err *e)
{
	char path[32];
	int rc;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", image);
	rc = mount_path(o, source, path);
	if (rc == -ENOTBLK || rc == -EINVAL)
		return mount_loop(o, source, image, e);
	return rc < 0 ? cannot_mount(rc, e) : rc;
}

/* ATTACHING */

static int open_image(struct erofs_mount *m, const char *source, struct err *e)
{
	int fd = openat(m->fuse, IMAGE_NAME, O_RDONLY | O_CLOEXEC);

	return fd >= 0 ? fd
		       : err_set(e, -errno, "%s cannot be shown as an EROFS: %s", source,
				 strerror(errno));
}

/*
 * Into the page cache, and no contents behind them. What fails here fails in the kernel, too.
 */
static void read_metadata(int image, uint64_t size)
{
	char *buf = malloc(READ_SIZE);
	uint64_t off;
	size_t n;

	(void)posix_fadvise(image, 0, 0, POSIX_FADV_RANDOM);
	if (size > READ_MAX)
		size = READ_MAX;
	for (off = 0; buf && off < size; off += n) {
		n = size - off < READ_SIZE ? (size_t)(size - off) : READ_SIZE;
		if (pread(image, buf, n, (off_t)off) <= 0)
			break;
	}
	free(buf);
}

/* The EROFS @mount gets its place; what peelctl and the watcher need comes first. */
static int attach_to(struct erofs_mount *m, int mount, const char *mountpoint,
		     struct detached *d, struct err *e)
{
	int target = open(mountpoint, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int rc = target < 0 ? -errno : 0;
	struct stat st;
	bool is_noted = false;

	if (rc == 0 && fstat(mount, &st) < 0)
		rc = -errno;
	if (rc == 0) {
		m->dev = st.st_dev;
		is_noted = unattached_note(m->dev, m->fuse) == 0;
		rc = mounts_attach(mount, target);
		m->is_attached = rc == 0;
	}
	if (rc == 0 && is_noted)
		detached_set(d, m->dev);
	if (rc < 0 || !is_noted || detached_check(d))
		erofs_mount_leave(m);
	if (target >= 0)
		close(target);
	return rc < 0 ? err_set(e, rc, "cannot mount at %s: %s", mountpoint,
				strerror(-rc))
		      : 0;
}

/* A mount that is attached nowhere. */
static int mount_view(struct erofs_mount *m, const struct view *v, struct err *e)
{
	const struct options *o = v->context->options;
	char *text = strdup(buf_text(&o->kernel));
	struct erofs_options options;
	int image, rc;

	if (!text)
		return err_set(e, -ENOMEM, "out of memory");
	parse_options(text, &options);
	rc = image = open_image(m, o->source, e);
	if (image >= 0) {
		if (view_erofs(v))
			read_metadata(image, erofs_image_metadata(view_erofs(v)));
		rc = mount_image(&options, o->source, image, e);
		close(image);
	}
	free(text);
	return rc;
}

int erofs_mount_attach(struct erofs_mount *m, const struct view *v, struct detached *d,
		       struct err *e)
{
	int mount = mount_view(m, v, e), rc;

	if (mount < 0)
		return mount;
	rc = attach_to(m, mount, v->context->mountpoint, d, e);
	close(mount);
	return rc;
}

void erofs_mount_close(struct erofs_mount *m, const char *mountpoint)
{
	struct stat st;

	erofs_mount_leave(m);
	if (m->is_attached && stat(mountpoint, &st) == 0 && st.st_dev == m->dev)
		umount2(mountpoint, MNT_DETACH);
}
