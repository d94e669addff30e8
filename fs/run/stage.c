/* SPDX-License-Identifier: MIT */
#include "fs/run/stage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "fs/run/fdpass.h"
#include "fs/run/kept.h"
#include "fs/run/mounts.h"
#include "fs/run/rooted.h"

/* Where fuse-overlayfs finds the device of its mount. */
#define DEVICE	    3
#define DEVICE_PATH "/dev/fd/3"

/* No registry's manifest is larger. */
#define MANIFEST_MAX (4u << 20)

/* OPENING */

static int fail(struct err *e, int rc, const char *what)
{
	return err_set(e, rc, "cannot %s: %s", what, strerror(-rc));
}

static int open_volume(struct stage *s, const struct run_volume *v, struct err *e)
{
	int fd = mounts_copy(AT_FDCWD, v->source);

	if (fd < 0)
		return err_set(e, fd, "-v %s: %s", v->source, strerror(-fd));
	s->volumes[s->n_volumes++] = fd;
	return 0;
}

/* Two overlays above one directory would damage it. */
static int lock_kept(struct stage *s, const char *path, struct err *e)
{
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return err_set(e, -errno, "--rw %s: %s", path, strerror(errno));
	s->lock = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->lock < 0)
		return err_set(e, -errno, "--rw %s: %s", path, strerror(errno));
	if (flock(s->lock, LOCK_EX | LOCK_NB) < 0)
		return err_set(e, -errno, "--rw %s: %s", path,
			       errno == EWOULDBLOCK ? "another run uses it"
						    : strerror(errno));
	s->kept = mounts_copy(s->lock, "");
	return s->kept < 0 ? err_set(e, s->kept, "--rw %s: %s", path, strerror(-s->kept))
			   : 0;
}

void stage_init(struct stage *s, const struct run_spec *spec)
{
	*s = (struct stage){.spec = spec, .base = -1, .root = -1, .files = -1};
	s->kept = s->lock = -1;
}

int stage_open(struct stage *s, struct err *e)
{
	const struct run_spec *spec = s->spec;
	size_t i;
	int rc;

	/* The first thing that a machine without mounts for users refuses. */
	rc = mounts_make_private();
	if (rc < 0)
		return err_set(e, rc,
			       "the kernel allows no mounts in a user namespace: %s (see "
			       "sysctl kernel.apparmor_restrict_unprivileged_userns)",
			       strerror(-rc));
	for (i = 0; rc == 0 && i < spec->n_volumes; i++)
		rc = open_volume(s, &spec->volumes[i], e);
	return rc == 0 && spec->kept ? lock_kept(s, spec->kept, e) : rc;
}

/* THE IMAGE */

/* A tmpfs over a directory that every machine has. */
static int make_base(struct stage *s, struct err *e)
{
	static const struct mount_option options[] = {{"mode", "0755"}, {NULL, NULL}};
	int target = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC), rc;

	if (target < 0)
		return fail(e, -errno, "open /tmp");
	rc = s->base = mounts_new("tmpfs", "tmpfs", options,
				  MOUNTS_NOSUID | MOUNTS_NODEV);
	if (rc >= 0)
		rc = mounts_attach(s->base, target);
	close(target);
	if (rc < 0)
		return fail(e, rc, "mount a tmpfs");
	if (mkdirat(s->base, "image", 0755) < 0 || mkdirat(s->base, "rw", 0755) < 0 ||
	    mkdirat(s->base, "root", 0755) < 0 || mkdirat(s->base, "files", 0755) < 0 ||
	    fchdir(s->base) < 0)
		return fail(e, -errno, "make directories in a tmpfs");
	s->files = openat(s->base, "files", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return s->files < 0 ? fail(e, -errno, "open a directory of a tmpfs") : 0;
}

/* Attaches @mount to the directory @name of the base, and closes it. */
static int attach(struct stage *s, int mount, const char *name)
{
	int target = openat(s->base, name, O_PATH | O_DIRECTORY | O_CLOEXEC), rc;

	rc = target < 0 ? -errno : mounts_attach(mount, target);
	if (target >= 0)
		close(target);
	close(mount);
	return rc;
}

static int open_device(struct err *e)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	return fd >= 0 ? fd
		       : err_set(e, -errno,
				 "cannot open /dev/fuse: %s (`modprobe fuse` as root; a "
				 "container needs --device /dev/fuse)",
				 strerror(errno));
}

/*
 * Attaches a new FUSE mount to @name. Returns its device, for the one that serves it: what
 * reads from the mount waits until then.
 */
static int mount_fuse(struct stage *s, const char *name, bool for_all, unsigned flags,
		      struct err *e)
{
	char number[16];
	const struct mount_option options[] = {
		{"fd", number},
		{"rootmode", "40000"},
		{"user_id", "0"},
		{"group_id", "0"},
		{for_all ? "allow_other" : NULL, NULL},
		{"default_permissions", NULL},
		{NULL, NULL},
	};
	int rc, fd = open_device(e);

	if (fd < 0)
		return fd;
	snprintf(number, sizeof(number), "%d", fd);
	rc = mounts_new("fuse", "peelfs", options, flags);
	if (rc >= 0)
		rc = attach(s, rc, name);
	if (rc == 0)
		return fd;
	close(fd);
	return fail(e, rc, "mount the image");
}

int stage_mount_image(struct stage *s, int peelfs, struct err *e)
{
	int rc = make_base(s, e), fd;

	if (rc < 0)
		return rc;
	fd = mount_fuse(s, "image", false, MOUNTS_NOSUID | MOUNTS_NODEV | MOUNTS_RDONLY,
			e);
	if (fd < 0)
		return fd;
	rc = fdpass_send(peelfs, fd, 'f');
	close(fd);
	return rc < 0 ? fail(e, rc, "hand over the image") : 0;
}

int stage_load(struct stage *s, const char *name, struct buf *out, struct err *e)
{
	int rc, dir = openat(s->base, "image", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return fail(e, -errno, "open the image");
	rc = rooted_load(dir, name, out);
	close(dir);
	if (rc == -ENOTCONN || rc == -ECONNABORTED)
		return -ENOTCONN;
	if (rc == -ENOENT)
		return err_set(e, rc, "%s has no %s: it is not a container image",
			       s->spec->source, name);
	return rc < 0 ? err_set(e, rc, "%s: %s: %s", s->spec->source, name, strerror(-rc))
		      : 0;
}

/* THE ROOT */

#define LOWER "image/rootfs"
#define UPPER "rw/upper"
#define WORK  "rw/work"

/* Its attributes are final once its layers are loaded; listing it waits for them. */
static int stat_lower(struct stage *s, struct stat *st)
{
	int rc = 0, fd = openat(s->base, LOWER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	errno = fd < 0 ? errno : 0;
	if (!dir || !readdir(dir) || fstat(fd, st) < 0)
		rc = errno ? -errno : -EIO;
	if (dir)
		closedir(dir);
	return rc;
}

/* The upper directory's own attributes are those of the root. */
static int make_upper(struct stage *s, const struct stat *st)
{
	int rc = 0, dir = openat(s->base, "rw", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return -errno;
	if (mkdirat(dir, "work", 0755) < 0 && errno != EEXIST)
		rc = -errno;
	else if (mkdirat(dir, "upper", 0755) < 0)
		rc = errno == EEXIST ? 0 : -errno;
	/* An owner that has no ID here becomes root. */
	else if ((fchownat(dir, "upper", st->st_uid, st->st_gid, 0) < 0 &&
		  errno != EINVAL) ||
		 fchmodat(dir, "upper", st->st_mode & 07777, 0) < 0)
		rc = -errno;
	close(dir);
	return rc;
}

static int mount_overlay(struct stage *s)
{
	static const struct mount_option options[] = {
		{"lowerdir", LOWER}, {"upperdir", UPPER}, {"workdir", WORK},
		{"userxattr", NULL}, {NULL, NULL},
	};
	int rc = mounts_new("overlay", "peelfs", options, MOUNTS_NODEV);

	return rc < 0 ? rc : attach(s, rc, "root");
}

/*
 * In a mount namespace of its own: stage_enter() changes the root of all processes here, and
 * it would then ask itself for files.
 */
__attribute__((noreturn)) static void be_fuse_overlay(int device)
{
	char options[] = "lowerdir=" LOWER ",upperdir=" UPPER ",workdir=" WORK;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (unshare(CLONE_NEWNS) == 0 && dup2(device, DEVICE) == DEVICE) {
		fcntl(DEVICE, F_SETFD, 0);
		dup2(null, STDERR_FILENO);
		dup2(null, STDOUT_FILENO);
		dup2(null, STDIN_FILENO);
		execlp("fuse-overlayfs", "fuse-overlayfs", "-f", "-o", options,
		       DEVICE_PATH, NULL);
	}
	_exit(1);
}

/* It ends with the pid namespace. -ENOENT if it is not installed, or does not start. */
static int mount_fuse_overlay(struct stage *s, struct err *e)
{
	int fd = mount_fuse(s, "root", true, MOUNTS_NODEV, e), root;
	struct stat st;
	pid_t child;

	if (fd < 0)
		return fd;
	child = fork();
	if (child == 0)
		be_fuse_overlay(fd);
	close(fd);
	root = child < 0 ? -1 : openat(s->base, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0 || fstat(root, &st) < 0)
		return -ENOENT;
	close(root);
	return 0;
}

/* The directory that the user keeps, and the image whose changes are in it. */
static int use_kept(struct stage *s, struct err *e)
{
	struct digest digest;
	struct buf manifest;
	int rc, dir;

	buf_init(&manifest, MANIFEST_MAX);
	rc = stage_load(s, "manifest.json", &manifest, e);
	if (rc == 0)
		rc = digest_of(DIGEST_SHA256, manifest.data, manifest.len, &digest);
	buf_release(&manifest);
	if (rc < 0)
		return rc;
	rc = attach(s, s->kept, "rw");
	s->kept = -1;
	dir = rc < 0 ? rc : openat(s->base, "rw", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_set(e, rc < 0 ? rc : -errno, "--rw %s: %s", s->spec->kept,
			       strerror(rc < 0 ? -rc : errno));
	rc = kept_claim(dir, &digest, e);
	close(dir);
	return rc < 0 ? err_prefix(e, rc, "--rw %s", s->spec->kept) : 0;
}

/* The directory that the user keeps, or one of the tmpfs. */
static int prepare_upper(struct stage *s, const struct stat *st, struct err *e)
{
	int rc = s->kept >= 0 ? use_kept(s, e) : 0;

	if (rc < 0)
		return rc;
	rc = make_upper(s, st);
	if (rc < 0 && s->spec->kept)
		return err_set(e, rc, "--rw %s: %s", s->spec->kept, strerror(-rc));
	return rc < 0 ? fail(e, rc, "prepare the root file system") : 0;
}

int stage_mount_root(struct stage *s, struct err *e)
{
	struct stat st;
	int rc = stat_lower(s, &st);

	if (rc < 0)
		return err_set(e, rc, "%s: its root file system cannot be read: %s",
			       s->spec->source, strerror(-rc));
	rc = prepare_upper(s, &st, e);
	if (rc < 0)
		return rc;
	rc = mount_overlay(s);
	if (rc < 0 && mount_fuse_overlay(s, e) < 0)
		return err_set(e, rc,
			       "the kernel refuses an overlay here: %s (nor does "
			       "fuse-overlayfs make one; is it installed?)",
			       strerror(-rc));
	s->root = openat(s->base, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return s->root < 0 ? fail(e, -errno, "open the root file system") : 0;
}

int stage_root(const struct stage *s)
{
	return s->root;
}

int stage_files(const struct stage *s)
{
	return s->files;
}

static int add_volume(struct stage *s, const struct run_volume *v, int mount,
		      struct err *e)
{
	struct stat st;
	int rc = fstat(mount, &st) < 0 ? -errno : 0, target = -1;

	if (rc == 0 && v->is_read_only)
		rc = mounts_make_read_only(mount);
	if (rc == 0)
		rc = target = rooted_make(s->root, v->target,
					  S_ISDIR(st.st_mode) ? S_IFDIR : S_IFREG);
	if (rc >= 0)
		rc = mounts_attach(mount, target);
	/* One is a directory, the other is not. */
	if (rc == -EINVAL && target >= 0)
		rc = S_ISDIR(st.st_mode) ? -ENOTDIR : -EISDIR;
	if (target >= 0)
		close(target);
	return rc < 0 ? err_set(e, rc, "-v %s:%s: %s", v->source, v->target,
				strerror(-rc))
		      : 0;
}

int stage_add_volumes(struct stage *s, struct err *e)
{
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < s->n_volumes; i++)
		rc = add_volume(s, &s->spec->volumes[i], s->volumes[i], e);
	return rc;
}

int stage_enter(struct stage *s, struct err *e)
{
	/* The old root lies on top of the new one for a moment, so no directory is needed. */
	if (fchdir(s->root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
	    umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return fail(e, -errno, "enter the root file system");
	return 0;
}

static void close_one(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void stage_close(struct stage *s)
{
	while (s->n_volumes > 0)
		close_one(&s->volumes[--s->n_volumes]);
	close_one(&s->base);
	close_one(&s->root);
	close_one(&s->files);
	close_one(&s->kept);
}
