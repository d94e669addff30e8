/* SPDX-License-Identifier: MIT */
#include "fs/run/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fs/run/fdpass.h"
#include "fs/run/spec.h"

/* Where it finds the device. */
#define DEVICE	    3
#define DEVICE_PATH "/dev/fd/3"

static bool reads_input(const char *source)
{
	size_t len = strlen(source);

	return len > 2 && strcmp(source + len - 2, ":-") == 0;
}

static void set_standard_files(const char *source)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (!reads_input(source))
		dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
}

static char **make_words(const struct run_spec *s, bool all_root)
{
	static char foreground[] = "-f", o[] = "-o", layout[] = "layout=image",
		    root[] = "uid=0,gid=0", end[] = "--", device[] = DEVICE_PATH;
	size_t n = 0, i;
	char **words;

	while (s->lists[n])
		n++;
	words = calloc(2 * n + 10, sizeof(*words));
	if (!words)
		return NULL;
	i = 0;
	words[i++] = (char *)s->peelfs;
	words[i++] = foreground;
	for (n = 0; s->lists[n]; n++) {
		words[i++] = o;
		words[i++] = s->lists[n];
	}
	words[i++] = o;
	words[i++] = layout;
	if (all_root) {
		words[i++] = o;
		words[i++] = root;
	}
	words[i++] = end;
	words[i++] = (char *)s->source;
	words[i] = device;
	return words;
}

/* The socket is all that is left open: its end must show when others close it. */
static int take_socket(int socket)
{
	if (socket != DEVICE && dup3(socket, DEVICE, O_CLOEXEC) < 0)
		return -errno;
	return syscall(SYS_close_range, DEVICE + 1, ~0u, 0) < 0 ? -errno : DEVICE;
}

__attribute__((noreturn)) static void be_server(const struct run_spec *s, bool all_root,
						int socket, const sigset_t *mask,
						pid_t parent)
{
	char **words = make_words(s, all_root), word;
	int fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	setsid();
	sigprocmask(SIG_SETMASK, mask, NULL);
	socket = take_socket(socket);
	if (!words || getppid() != parent || fdpass_receive(socket, &fd, &word) != 1 ||
	    fd < 0)
		_exit(RUN_FAILED);
	set_standard_files(s->source);
	dup2(fd, DEVICE);
	execv(s->peelfs, words);
	fprintf(stderr, "peelctl: cannot execute %s: %s\n", s->peelfs, strerror(errno));
	_exit(RUN_FAILED);
}

pid_t server_start(const struct run_spec *s, bool all_root, int socket,
		   const sigset_t *mask)
{
	pid_t parent = getpid(), child = fork();

	if (child == 0)
		be_server(s, all_root, socket, mask, parent);
	return child < 0 ? -errno : child;
}
