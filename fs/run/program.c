/* SPDX-License-Identifier: MIT */
/*
 * The child tells by a pipe, which closes by itself in execve(), why it did not get there:
 * the exit status, an errno and the step.
 */
#include "fs/run/program.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "fs/run/environment.h"
#include "fs/run/spec.h"

#define BIT(capability) (1ull << (capability))

/* containers-common, containers.conf(5): default_capabilities. */
#define DEFAULTS                                                                      \
	(BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FOWNER) | BIT(CAP_FSETID) | \
	 BIT(CAP_KILL) | BIT(CAP_NET_BIND_SERVICE) | BIT(CAP_SETFCAP) |               \
	 BIT(CAP_SETGID) | BIT(CAP_SETPCAP) | BIT(CAP_SETUID) | BIT(CAP_SYS_CHROOT))

/* In this order. */
enum step { STEP_TERMINAL, STEP_WORKDIR, STEP_USER, STEP_EXECUTE };

struct failure {
	int status;
	int code; /* errno */
	enum step step;
};

/* CAPABILITIES */

static int set_capabilities(unsigned long long bits)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {
		{.effective = (unsigned)bits, .permitted = (unsigned)bits},
		{.effective = (unsigned)(bits >> 32),
		 .permitted = (unsigned)(bits >> 32)},
	};

	return syscall(SYS_capset, &head, data) < 0 ? -errno : 0;
}

int program_keep_kill(void)
{
	return set_capabilities(BIT(CAP_KILL));
}

/* No program of the sandbox gets others, not even one that is set-user-ID root. */
static int limit_capabilities(void)
{
	int i;

	for (i = 0; prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0; i++) {
		if (!(DEFAULTS & BIT(i)) && prctl(PR_CAPBSET_DROP, i, 0, 0, 0) < 0)
			return -errno;
	}
	return 0;
}

static int become(const struct program *p)
{
	const struct account *a = &p->account;
	int rc = limit_capabilities();

	if (rc < 0)
		return rc;
	if ((p->sets_groups && setgroups(a->n_groups, a->groups) < 0) ||
	    setresgid(a->gid, a->gid, a->gid) < 0 ||
	    setresuid(a->uid, a->uid, a->uid) < 0)
		return -errno;
	/* For other users the kernel has removed them. */
	return set_capabilities(a->uid == 0 ? DEFAULTS : 0);
}

/* STEPS */

static int take_terminal(int fd)
{
	int i;

	if (setsid() < 0)
		return -errno;
	if (fd < 0)
		return 0;
	if (ioctl(fd, TIOCSCTTY, 0) < 0)
		return -errno;
	for (i = 0; i <= 2; i++) {
		if (dup2(fd, i) < 0)
			return -errno;
	}
	return 0;
}

/* Links of /proc lead to open files outside of the root: there are none, or it is refused. */
static int go_to(const char *dir)
{
	char path[PATH_MAX];

	if (chdir(dir) < 0 || !getcwd(path, sizeof(path)))
		return -errno;
	return 0;
}

static void reset_signals(void)
{
	sigset_t none;
	int i;

	for (i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Gives an errno. */
static int execute(const struct program *p, const char *path)
{
	execve(path, p->words.items, p->env.items);
	return errno;
}

/* As execvp(3), but what is no program is not given to a shell. */
static int search(const struct program *p)
{
	const char *name = p->words.items[0], *end;
	const char *path = environment_get(&p->env, "PATH");
	char file[PATH_MAX];
	int code, worst = ENOENT;

	if (strchr(name, '/'))
		return execute(p, name);
	for (; path && *path; path = *end ? end + 1 : end) {
		end = strchrnul(path, ':');
		snprintf(file, sizeof(file), "%.*s%s%s", (int)(end - path), path,
			 end > path ? "/" : "", name);
		code = execute(p, file);
		if (code == EACCES)
			worst = EACCES;
		else if (code != ENOENT && code != ENOTDIR)
			return code;
	}
	return worst;
}

/*
 * Moves the pipe to number 3 and closes the others: what is open is outside of the root. Not
 * before the terminal, which may have that number, is in its place.
 */
static int close_others(int *pipe)
{
	if (*pipe != 3 && dup3(*pipe, 3, O_CLOEXEC) < 0)
		return -errno;
	*pipe = 3;
	return syscall(SYS_close_range, 4, ~0u, 0) < 0 ? -errno : 0;
}

static int take_step(const struct program *p, enum step step, int *pipe)
{
	int rc;

	switch (step) {
	case STEP_TERMINAL:
		rc = take_terminal(p->terminal);
		return rc < 0 ? rc : close_others(pipe);
	case STEP_WORKDIR:
		return go_to(p->workdir);
	case STEP_USER:
		return become(p);
	default:
		umask(022);
		reset_signals();
		return -search(p);
	}
}

__attribute__((noreturn)) static void be_child(const struct program *p, int pipe)
{
	struct failure f = {.status = RUN_FAILED, .step = STEP_TERMINAL};

	/* New keys are not kept with those of the user outside. */
	(void)syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
	while ((f.code = -take_step(p, f.step, &pipe)) == 0)
		f.step++;
	if (f.step == STEP_EXECUTE)
		f.status = f.code == ENOENT || f.code == ENOTDIR ? RUN_NOT_FOUND
								 : RUN_UNRUNNABLE;
	(void)!write(pipe, &f, sizeof(f));
	_exit(f.status);
}

/* IN THE PARENT */

static int explain(const struct program *p, const struct failure *f, struct err *e)
{
	const char *name = p->words.items[0], *why = strerror(f->code);

	if (f->step == STEP_TERMINAL)
		err_set(e, 0, "cannot start a session: %s", why);
	else if (f->step == STEP_USER)
		err_set(e, 0, "cannot become user %u: %s", (unsigned)p->account.uid, why);
	else if (f->step == STEP_WORKDIR)
		err_set(e, 0, "cannot enter the working directory %s: %s", p->workdir,
			why);
	else if (f->code == ENOEXEC)
		err_set(e, 0,
			"%s: not a program that this machine can run (the image is for %s)",
			name, p->platform);
	else if (f->status == RUN_NOT_FOUND && !strchr(name, '/'))
		err_set(e, 0, "%s: command not found in the image", name);
	else
		err_set(e, 0, "%s: %s", name, why);
	return f->status;
}

int program_start(const struct program *p, pid_t *pid, struct err *e)
{
	struct failure f = {.status = 0};
	int fds[2];
	ssize_t n;

	if (pipe2(fds, O_CLOEXEC) < 0)
		goto failed;
	*pid = fork();
	if (*pid == 0)
		be_child(p, fds[1]);
	close(fds[1]);
	if (*pid < 0) {
		close(fds[0]);
		goto failed;
	}
	do {
		n = read(fds[0], &f, sizeof(f));
	} while (n < 0 && errno == EINTR);
	close(fds[0]);
	if (n != sizeof(f))
		return 0;
	waitpid(*pid, NULL, 0);
	return explain(p, &f, e);

failed:
	err_set(e, 0, "cannot start a process: %s", strerror(errno));
	return RUN_FAILED;
}
