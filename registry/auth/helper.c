/* SPDX-License-Identifier: MIT */
/*
 * The input is in the pipe before the program runs, so a program that does not read it
 * can neither block us nor end us with SIGPIPE. The program has its own process group,
 * so a helper that is a script is killed with its children.
 */
#include "registry/auth/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"

extern char **environ;

static int pipe_with(const char *input, int fds[2])
{
	size_t len = strlen(input);

	if (len > HELPER_INPUT_MAX)
		return -E2BIG;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	if (write(fds[1], input, len) != (ssize_t)len) {
		close(fds[0]);
		close(fds[1]);
		return -EIO;
	}
	close(fds[1]);
	return 0;
}

static int helper_spawn(const char *const *argv, int in, int out, pid_t *pid)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int rc;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
						POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	rc = posix_spawn_file_actions_adddup2(&files, in, 0);
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(&files, out, 1);
	if (rc == 0)
		rc = posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY,
						      0);
	if (rc == 0)
		rc = posix_spawnp(pid, argv[0], &files, &attr, (char *const *)argv,
				  environ);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	return -rc;
}

/* Appends the output, until the program closes it. */
static int helper_read(int fd, int64_t until, struct buf *out)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char chunk[4096];
	int64_t left;
	ssize_t n;
	int rc = 0;

	while (rc == 0) {
		left = until - clock_ms();
		if (left <= 0)
			return -ETIMEDOUT;
		if (poll(&p, 1, (int)left) <= 0)
			continue;
		n = read(fd, chunk, sizeof(chunk));
		if (n == 0)
			break;
		if (n < 0 && errno != EINTR)
			rc = -errno;
		else if (n > 0)
			rc = buf_append(out, chunk, (size_t)n);
	}
	explicit_bzero(chunk, sizeof(chunk));
	return rc;
}

/* Waits for its end: it may live on after it has closed its output. */
static int helper_await(pid_t pid, int64_t until, int *status)
{
	static const struct timespec tick = {.tv_nsec = 10 * 1000000};
	int how;

	for (;;) {
		pid_t got = waitpid(pid, &how, WNOHANG);

		if (got == pid) {
			*status = WIFEXITED(how) ? WEXITSTATUS(how) : 128;
			return 0;
		}
		if (got < 0 && errno != EINTR)
			return -errno;
		if (clock_ms() > until)
			return -ETIMEDOUT;
		nanosleep(&tick, NULL);
	}
}

static void helper_kill(pid_t pid)
{
	kill(-pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

int helper_run(const char *const *argv, const char *input, unsigned seconds,
	       struct buf *out, int *status, struct err *e)
{
	int64_t until = clock_ms() + (int64_t)seconds * 1000;
	int in[2], pipe_out[2], rc;
	pid_t pid;

	rc = pipe_with(input, in);
	if (rc < 0)
		return err_set(e, rc, "%s: cannot be run: %s", argv[0], strerror(-rc));
	if (pipe2(pipe_out, O_CLOEXEC) < 0) {
		rc = -errno;
		close(in[0]);
		return err_set(e, rc, "%s: cannot be run: %s", argv[0], strerror(-rc));
	}
	rc = helper_spawn(argv, in[0], pipe_out[1], &pid);
	close(in[0]);
	close(pipe_out[1]);
	if (rc == 0) {
		rc = helper_read(pipe_out[0], until, out);
		if (rc == 0)
			rc = helper_await(pid, until, status);
		if (rc < 0)
			helper_kill(pid);
	}
	close(pipe_out[0]);
	if (rc == -ETIMEDOUT)
		return err_set(e, rc, "%s: not finished after %u seconds", argv[0],
			       seconds);
	return rc < 0 ? err_set(e, rc, "%s: cannot be run: %s", argv[0], strerror(-rc))
		      : 0;
}
