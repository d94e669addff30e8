/* SPDX-License-Identifier: MIT */
/*
 * peelfs: mounts a container image straight from its registry, read-only.
 *
 *	main thread	options; fork; waits until the image is resolved, takes signals;
 *			then libfuse's loop
 *	waiter		-o wait: waits until all layers are indexed, while the mount is served
 *
 * A silent registry cannot keep the program from exiting: threads that still wait for one
 * have some seconds to end, and then the process ends without them. Nothing is mounted any
 * more by then, and the store survives a kill at any moment.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <malloc.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/home.h"
#include "base/mountinfo.h"
#include "base/secret.h"
#include "fs/fuse/daemon.h"
#include "fs/fuse/detached.h"
#include "fs/fuse/erofs_mount.h"
#include "fs/options/log.h"
#include "fs/node/mount.h"
#include "fs/options/options.h"
#include "fs/fuse/loading.h"
#include "fs/fuse/session.h"
#include "fs/text/bar.h"
#include "registry/image_source.h"
#include "registry/source_name.h"

/* As mount(8). */
#define EXIT_USAGE 1
#define EXIT_MOUNT 32

/* The time for an orderly end. */
#define GRACE_SECONDS 2

struct program {
	struct options options;
	struct log log;
	struct daemon daemon;
	struct mount mount;
	char mountpoint[PATH_MAX];
	/* Of -o erofs: */
	struct erofs_mount erofs;
	struct detached users;
	/* Of -o wait: */
	struct loading wait;
	pthread_t waiter;
	bool is_waiting; /* there was such a thread */
	int waited;	 /* its result */
	struct err wait_err;
};

/*
 * libfuse takes "/dev/fd/N" for a mount that exists already: N is open on its device
 * (`peelctl run`). Then this program itself mounts nothing.
 */
static bool is_mounted(const char *mountpoint)
{
	return strncmp(mountpoint, "/dev/fd/", 8) == 0;
}

static int load(struct program *p, struct err *e)
{
	struct loading l = {.mount = &p->mount,
			    .daemon = &p->daemon,
			    .load = mount_load,
			    .takes_signals = true};
	int rc = loading_run(&l, e);

	/* An artifact can be mounted, but no program in it be run. */
	if (rc == 0 && is_mounted(p->mountpoint) && p->mount.images.first)
		rc = image_must_have_files(p->mount.images.first->image, e);
	return rc;
}

/* READY */

static void announce_mount(struct program *p)
{
	log_info(&p->log, "%s is mounted at %s", mount_name(&p->mount), p->mountpoint);
}

/* On a terminal: the kernel gives no reason to a program that waits for layers. */
static void announce(struct program *p)
{
	struct bar_state at;

	if (!isatty(STDERR_FILENO) || mount_has_tree(&p->mount))
		return;
	view_progress(p->mount.images.first, &at);
	fprintf(stderr,
		"peelfs: mounted at %s; %zu layers (%.1f MiB) load when they are first "
		"used, and `peelctl wait %s` waits for them\n",
		p->options.mountpoint, at.n_layers, (double)at.size / (1 << 20),
		p->options.mountpoint);
}

static void go_to_background(struct program *p)
{
	if (p->options.foreground)
		return;
	log_to_syslog(&p->log);
	daemon_detach();
	/* A user who killed the waiting parent does not want the mount. */
	if (!daemon_tell(&p->daemon, 0))
		kill(getpid(), SIGTERM);
}

/* -o wait: the mount is served meanwhile. */
static void *wait_for_tree(void *arg)
{
	struct program *p = arg;

	p->waited = loading_run(&p->wait, &p->wait_err);
	if (p->waited == 0 && p->options.erofs) {
		p->waited = erofs_mount_attach(&p->erofs, p->mount.images.first,
					       &p->users, &p->wait_err);
		if (p->waited == 0)
			announce_mount(p);
	}
	if (p->waited < 0)
		kill(getpid(), SIGTERM);
	else
		go_to_background(p);
	return NULL;
}

/* Called when the mount answers, by the thread of the first request. */
static void on_ready(void *arg)
{
	struct program *p = arg;
	int rc;

	if (!p->options.erofs)
		announce_mount(p);
	if (!p->options.wait) {
		if (!is_mounted(p->mountpoint))
			announce(p);
		go_to_background(p);
		return;
	}
	p->wait = (struct loading){
		.mount = &p->mount, .daemon = &p->daemon, .load = mount_load_tree};
	rc = pthread_create(&p->waiter, NULL, wait_for_tree, p);
	p->is_waiting = rc == 0;
	if (rc == 0)
		return;
	p->waited = err_set(&p->wait_err, -rc, "cannot start a thread: %s", strerror(rc));
	kill(getpid(), SIGTERM);
}

/* After the session. 0, or why -o wait did not succeed: p->wait_err. */
static int end_wait(struct program *p)
{
	if (p->is_waiting) {
		__atomic_store_n(&p->wait.stop, true, __ATOMIC_SEQ_CST);
		pthread_join(p->waiter, NULL);
	}
	return p->waited;
}

static volatile sig_atomic_t exit_status;

static void leave(int signal)
{
	(void)signal;
	_exit(exit_status);
}

/* Reports to the parent and cleans up, for the grace time at most. */
static void finish(struct program *p, int status)
{
	struct sigaction action = {.sa_handler = leave};

	exit_status = status;
	sigaction(SIGALRM, &action, NULL);
	alarm(GRACE_SECONDS);
	daemon_tell(&p->daemon, status);
	mount_close(&p->mount);
	alarm(0);
}

static void on_left(void *arg)
{
	struct program *p = arg;

	erofs_mount_leave(&p->erofs);
}

/* Until the mount is gone. */
static int serve(struct program *p, struct err *e)
{
	struct session s = {.nodes = &p->mount.nodes,
			    .at = p->mountpoint,
			    .ready = on_ready,
			    .left = on_left,
			    .arg = p};
	int rc = 0;

	if (p->options.erofs) {
		rc = erofs_mount_open(&p->erofs, e);
		detached_await(&p->users);
		s.at = p->erofs.device;
		s.users = &p->users;
	}
	if (rc == 0)
		rc = session_run(&s, e);
	if (end_wait(p) < 0 && rc == 0) {
		rc = p->waited;
		*e = p->wait_err;
	}
	if (p->options.erofs) {
		erofs_mount_close(&p->erofs, p->mountpoint);
		detached_close(&p->users);
	}
	return rc;
}

/* Returns the exit status. The first to start threads. */
static int run(struct program *p)
{
	struct err e = {""};
	int rc, status;

	rc = mount_open(&p->mount, &p->options, &p->log, p->mountpoint, &e);
	if (rc == 0)
		rc = load(p, &e);
	if (rc == 0)
		rc = serve(p, &e);
	if (rc < 0) {
		source_name_suggest(p->options.source, &e);
		log_error(&p->log, "%s", e.text[0] ? e.text : strerror(-rc));
	}
	status = rc < 0 ? EXIT_MOUNT : EXIT_SUCCESS;
	finish(p, status);
	return status;
}

/* -EEXIST if the mount is what is visible at @arg, its mount point and device. */
static int match_mountpoint(void *arg, const struct mountinfo *m)
{
	const struct mountinfo *at = arg;

	return m->device == at->device && strcmp(m->mountpoint, at->mountpoint) == 0
		       ? -EEXIST
		       : 0;
}

/* Checked before the image is resolved, which may take long. */
static int find_mountpoint(struct program *p)
{
	const char *given = p->options.mountpoint;
	struct mountinfo at = {.mountpoint = p->mountpoint};
	struct stat st;

	if (is_mounted(given)) {
		snprintf(p->mountpoint, sizeof(p->mountpoint), "%s", given);
		return EXIT_SUCCESS;
	}
	if (!realpath(given, p->mountpoint) || stat(p->mountpoint, &st) < 0) {
		log_error(&p->log, "cannot mount at %s: %s%s", given, strerror(errno),
			  errno == ENOTCONN
				  ? " (a mount whose daemon has died; fusermount3 "
				    "-u removes it)"
				  : "");
		return EXIT_MOUNT;
	}
	at.device = st.st_dev;
	if (mountinfo_each(match_mountpoint, &at) < 0) {
		log_error(
			&p->log,
			"cannot mount at %s: peelfs has mounted something there already; "
			"fusermount3 -u %s removes it",
			given, given);
		return EXIT_MOUNT;
	}
	if (!S_ISDIR(st.st_mode)) {
		log_error(&p->log, "cannot mount at %s: it is not a directory", given);
		return EXIT_MOUNT;
	}
	return EXIT_SUCCESS;
}

/* Where libfuse looks for it: in one place, and then in PATH. */
static bool has_fusermount(void)
{
	const char *path = getenv("PATH"), *end;
	char name[PATH_MAX];

	if (access("/usr/bin/fusermount3", X_OK) == 0)
		return true;
	for (; path && *path; path = *end ? end + 1 : end) {
		end = strchrnul(path, ':');
		snprintf(name, sizeof(name), "%.*s/fusermount3", (int)(end - path), path);
		if (access(name, X_OK) == 0)
			return true;
	}
	return false;
}

static bool may_mount(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	return syscall(SYS_capget, &head, data) == 0 &&
	       data[CAP_SYS_ADMIN / 32].effective & 1u << CAP_SYS_ADMIN % 32;
}

static bool is_allowed_by_conf(void)
{
	FILE *conf = fopen("/etc/fuse.conf", "re");
	char line[256], word[32];
	bool is = false;

	while (conf && !is && fgets(line, sizeof(line), conf))
		is = sscanf(line, "%31s", word) == 1 &&
		     strcmp(word, "user_allow_other") == 0;
	if (conf)
		fclose(conf);
	return is;
}

/* What fusermount3 would refuse, but only after the image was resolved. */
static int check_user(const char *mountpoint, bool allow_other, struct err *e)
{
	if (!has_fusermount())
		return err_set(e, -ENOENT,
			       "fusermount3 is missing, and without it only root can "
			       "mount (install the package fuse3)");
	if (access(mountpoint, W_OK) < 0)
		return err_set(e, -errno,
			       "you cannot write to it, so only root may mount there");
	if (allow_other && !is_allowed_by_conf())
		return err_set(e, -EPERM,
			       "allow_other is for root alone, unless /etc/fuse.conf has "
			       "user_allow_other");
	return 0;
}

/*
 * Whether this machine allows the mount: checked before the image is resolved. A negative
 * errno and a sentence if none can succeed: on this machine, or, for a user who needs
 * fusermount3, at @mountpoint or with allow_other.
 */
static int check_device(const char *mountpoint, bool allow_other, struct err *e)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC), code = errno;

	if (fd >= 0)
		close(fd);
	/* fusermount3, which is root, opens it for other users. */
	if (fd < 0 && geteuid() == 0 && (code == EACCES || code == EPERM))
		return err_set(
			e, -code,
			"this process may not open /dev/fuse: %s (a container needs "
			"--device /dev/fuse)",
			strerror(code));
	if (fd < 0 &&
	    (code == ENOENT || code == ENODEV || code == ENXIO || geteuid() == 0))
		return err_set(e, -code,
			       "this machine has no FUSE: /dev/fuse: %s (`modprobe fuse` "
			       "as root; a container needs --device /dev/fuse)",
			       strerror(code));
	if (prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN) == 0)
		return err_set(e, -EPERM,
			       "mounting is not permitted here (a container needs "
			       "--cap-add SYS_ADMIN, and --device /dev/fuse)");
	return geteuid() == 0 || may_mount() ? 0 : check_user(mountpoint, allow_other, e);
}

/* Opens descriptors 0, 1 and 2 if they are closed, so that no other file gets them. */
static void fill_standard(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= 2);
	if (fd > 2)
		close(fd);
}

/* A layer has three files open. The file size limit is to act like a full disk. */
static void set_limits(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	signal(SIGXFSZ, SIG_IGN);
}

/*
 * Makes freed buffers of spans go back to the system. By default malloc() adapts to the
 * first of them and keeps such sizes, in one arena for each of many threads.
 */
static void tune_memory(void)
{
#ifdef M_MMAP_THRESHOLD
	(void)mallopt(M_MMAP_THRESHOLD, 256 << 10);
	(void)mallopt(M_TRIM_THRESHOLD, 256 << 10);
#endif
}

static int start(struct program *p)
{
	int status = find_mountpoint(p);
	struct err e;

	if (status != EXIT_SUCCESS)
		return status;
	if (!is_mounted(p->mountpoint) &&
	    check_device(p->mountpoint, p->options.allow_other, &e) < 0) {
		log_error(&p->log, "cannot mount at %s: %s", p->mountpoint, e.text);
		return EXIT_MOUNT;
	}
	if (p->options.erofs && erofs_mount_check(&e) < 0) {
		log_error(&p->log, "cannot mount at %s: %s", p->mountpoint, e.text);
		return EXIT_MOUNT;
	}
	secret_forbid_core();
	set_limits();
	tune_memory();
	fault_init();
	daemon_block_signals();
	status = daemon_split(&p->daemon, p->options.foreground);
	if (status >= 0)
		return status;
	if (status == -1)
		return run(p);
	log_error(&p->log, "cannot start a process: %s", strerror(errno));
	return EXIT_MOUNT;
}

int main(int argc, char **argv)
{
	static struct program program;
	struct program *p = &program;
	struct err e = {"out of memory"};
	int rc, status = EXIT_SUCCESS;

	fill_standard();
	umask(077); /* new files are for this user alone */
	home_settle();
	rc = options_parse(&p->options, argc, argv, geteuid() == 0, &e);
	log_init(&p->log, p->options.verbose);
	if (rc == 0 && p->options.mountpoint && is_mounted(p->options.mountpoint))
		p->log.program = "peelctl"; /* what the user has called */
	if (rc < 0) {
		log_error(&p->log, "%s", e.text);
		status = EXIT_USAGE;
	} else if (p->options.action == OPTIONS_FAKE) {
		status = 0;
	} else if (p->options.action == OPTIONS_HELP) {
		options_print_help(stdout);
	} else if (p->options.action == OPTIONS_VERSION) {
		printf("peelfs %s\n", PEELFS_VERSION);
	} else {
		status = start(p);
	}
	options_release(&p->options);
	return status;
}
