/* SPDX-License-Identifier: MIT */
#include "fs/run/init.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "fs/run/devices.h"
#include "fs/run/environment.h"
#include "fs/run/fdpass.h"
#include "fs/run/ids.h"
#include "fs/run/image_config.h"
#include "fs/run/program.h"
#include "fs/run/rooted.h"
#include "fs/run/stage.h"

/* As registries limit manifests; of /etc/passwd: 100,000 users. */
#define CONFIG_MAX (4 << 20)
#define FILE_MAX   (8 << 20)

struct state {
	const struct init *init;
	struct stage stage;
	struct image_config config;
	struct program program;
	int signals; /* signalfd */
	int master;  /* of the terminal, or -1 */
};

/* BECOMING */

/* Root of the namespace, that ends with its parent. False: that has ended already. */
static int settle(const struct init *i, struct err *e)
{
	struct pollfd other = {.fd = i->control, .events = 0};
	char word;
	int fd;

	if (fdpass_receive(i->control, &fd, &word) != 1)
		return -ENOTCONN;
	umask(0);
	if (setsid() < 0 || (!i->ids->is_single && setgroups(0, NULL) < 0) ||
	    setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return err_set(e, -errno, "cannot become root of a user namespace: %s",
			       strerror(errno));
	/* Other IDs would have cleared this. */
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	/* /proc/1 is not for the programs of the sandbox. */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (poll(&other, 1, 0) == 1 && other.revents & POLLHUP)
		return -ENOTCONN;
	return 0;
}

/* THE PROGRAM */

static int load_config(struct state *s, struct err *e)
{
	struct buf text;
	int rc;

	buf_init(&text, CONFIG_MAX);
	rc = stage_load(&s->stage, "config.json", &text, e);
	if (rc == 0)
		rc = image_config_parse(&s->config, buf_text(&text), text.len, e);
	buf_release(&text);
	return rc;
}

static int check_mapped(const struct ids *ids, const struct account *a, const char *user,
			struct err *e)
{
	if (ids_has(&ids->users, a->uid) && ids_has(&ids->groups, a->gid))
		return 0;
	if (ids->is_single)
		return err_set(
			e, -EPERM,
			"user %s (%u:%u) needs subordinate IDs: newuidmap(1), and a "
			"range for you in /etc/subuid and /etc/subgid (-u root runs it "
			"as yourself)",
			user, (unsigned)a->uid, (unsigned)a->gid);
	return err_set(e, -EPERM, "user %s (%u:%u) is outside of your subordinate IDs",
		       user, (unsigned)a->uid, (unsigned)a->gid);
}

/* A group that has no ID here could not be set. */
static void drop_unmapped(const struct ids *ids, struct account *a)
{
	size_t i, n = 0;

	for (i = 0; i < a->n_groups; i++) {
		if (ids_has(&ids->groups, a->groups[i]))
			a->groups[n++] = a->groups[i];
	}
	a->n_groups = n;
}

/* An image without such a file has no names. */
static int load_file(const struct state *s, const char *path, struct buf *out,
		     struct err *e)
{
	int rc = rooted_load(stage_root(&s->stage), path, out);

	return rc < 0 && rc != -ENOENT && rc != -ENOTDIR
		       ? err_set(e, rc, "%s of the image: %s", path, strerror(-rc))
		       : 0;
}

static int find_account(struct state *s, struct err *e)
{
	const struct run_spec *spec = s->init->spec;
	const char *user = spec->user ? spec->user : s->config.user;
	struct account *a = &s->program.account;
	struct buf passwd, group;
	int rc;

	buf_init(&passwd, FILE_MAX);
	buf_init(&group, FILE_MAX);
	user = user ? user : "0";
	rc = load_file(s, "/etc/passwd", &passwd, e);
	if (rc == 0)
		rc = load_file(s, "/etc/group", &group, e);
	if (rc == 0)
		rc = account_find(user, buf_text(&passwd), buf_text(&group), a, e);
	/* An image without a user database has a root all the same. */
	if (rc == -ENOENT && strcmp(user, "root") == 0)
		rc = account_find("0", "", "", a, e);
	buf_release(&passwd);
	buf_release(&group);
	if (rc == 0)
		rc = check_mapped(s->init->ids, a, user, e);
	drop_unmapped(s->init->ids, a);
	return rc;
}

/* The image's is made if it is missing, as engines do. */
static int find_workdir(struct state *s, struct err *e)
{
	const struct run_spec *spec = s->init->spec;
	const char *dir = spec->workdir ? spec->workdir : s->config.workdir;
	int rc;

	s->program.workdir = dir = dir ? dir : "/";
	if (dir[0] != '/')
		return err_set(e, -EINVAL,
			       "the working directory %s does not begin with /", dir);
	rc = spec->workdir ? rooted_open(stage_root(&s->stage), dir, O_PATH | O_DIRECTORY)
			   : rooted_make(stage_root(&s->stage), dir, S_IFDIR);
	if (rc < 0)
		return err_set(e, rc, "the working directory %s: %s", dir, strerror(-rc));
	close(rc);
	return 0;
}

static int make_program(struct state *s, struct err *e)
{
	const struct run_spec *spec = s->init->spec;
	struct program *p = &s->program;
	int rc = find_account(s, e);

	if (rc < 0)
		return rc;
	p->sets_groups = !s->init->ids->is_single;
	p->platform = s->config.platform;
	rc = environment_words(spec, &s->config, &p->words);
	if (rc == 0)
		rc = environment_make(spec, &s->config, p->account.home, &p->env);
	if (rc < 0)
		return err_set(e, rc, "out of memory");
	return p->words.n > 0 ? 0
			      : err_set(e, -EINVAL,
					"%s names no command to run: give one after it",
					spec->source);
}

/* BUILDING */

static int mount_kernel(struct state *s, struct err *e)
{
	const struct run_spec *spec = s->init->spec;
	int root = stage_root(&s->stage), rc;

	rc = devices_mount_kernel(root, !spec->has_network, e);
	if (rc == 0)
		rc = devices_mount_dev(root, s->init->ids, e);
	if (rc == 0)
		rc = devices_add_network_files(root, stage_files(&s->stage),
					       spec->has_network, e);
	if (rc == 0 && !spec->has_network)
		rc = devices_start_loopback(e);
	return rc < 0 ? rc : stage_add_volumes(&s->stage, e);
}

static int open_terminal(struct state *s, struct err *e)
{
	int *slave = &s->program.terminal, rc;

	if (!s->init->spec->has_terminal)
		return 0;
	rc = devices_open_terminal(stage_root(&s->stage), &s->master, slave, e);
	if (rc < 0)
		return rc;
	(void)ioctl(*slave, TIOCSWINSZ, &s->init->spec->size);
	/* The user may open it again by its name. */
	if (fchown(*slave, s->program.account.uid, (gid_t)-1) < 0)
		return err_set(e, -errno, "cannot give the terminal to the user: %s",
			       strerror(errno));
	rc = fdpass_send(s->init->control, s->master, INIT_TERMINAL);
	return rc < 0 ? err_set(e, rc, "cannot hand over the terminal: %s", strerror(-rc))
		      : 0;
}

/* Everything up to the start of the program. */
static int build(struct state *s, struct err *e)
{
	int rc = stage_open(&s->stage, e);

	if (rc == 0)
		rc = stage_mount_image(&s->stage, s->init->peelfs, e);
	close(s->init->peelfs);
	if (rc == 0)
		rc = load_config(s, e);
	if (rc == 0)
		rc = stage_mount_root(&s->stage, e);
	if (rc == 0)
		rc = make_program(s, e);
	if (rc == 0)
		rc = mount_kernel(s, e);
	if (rc == 0)
		rc = find_workdir(s, e);
	if (rc == 0)
		rc = open_terminal(s, e);
	return rc < 0 ? rc : stage_enter(&s->stage, e);
}

/* SERVING */

/* Reaps all that have ended. The status of the program, or -1. */
static int reap(pid_t program)
{
	int status, found = -1;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != program)
			continue;
		found = WIFSIGNALED(status) ? RUN_SIGNALLED + WTERMSIG(status)
					    : WEXITSTATUS(status);
	}
	return found;
}

/* False: the other end is closed. */
static bool pass_signal(int control, pid_t program)
{
	struct init_signal s;
	ssize_t n = recv(control, &s, sizeof(s), MSG_DONTWAIT);

	if (n == sizeof(s))
		kill(s.to_group ? -program : program, s.number);
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static int serve(const struct state *s, pid_t program)
{
	struct pollfd fds[] = {{.fd = s->signals, .events = POLLIN},
			       {.fd = s->init->control, .events = POLLIN}};
	struct signalfd_siginfo info;
	int status = -1;

	while (status < 0) {
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[1].revents && !pass_signal(s->init->control, program))
			return RUN_FAILED;
		if (fds[0].revents && read(s->signals, &info, sizeof(info)) > 0)
			status = reap(program);
	}
	return status;
}

static void release(struct state *s)
{
	stage_close(&s->stage);
	image_config_release(&s->config);
	strings_release(&s->program.words);
	strings_release(&s->program.env);
	if (s->program.terminal >= 0)
		close(s->program.terminal);
	if (s->master >= 0)
		close(s->master);
}

/* SIGCHLD is blocked from here on; others are, since the start. */
static int watch_children(struct err *e)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	return fd < 0 ? err_set(e, -errno, "signalfd: %s", strerror(errno)) : fd;
}

int init_main(const struct init *i)
{
	struct state state = {.init = i, .master = -1}, *s = &state;
	struct err e = {""};
	int status = RUN_FAILED, rc;
	pid_t pid = -1;

	stage_init(&s->stage, i->spec);
	s->program.terminal = -1;
	rc = settle(i, &e);
	if (rc == 0)
		rc = s->signals = watch_children(&e);
	if (rc >= 0)
		rc = build(s, &e);
	if (rc == 0) {
		/* From here on signals are for the program, also those that come early. */
		(void)!send(i->control, &(char){INIT_STARTED}, 1, MSG_NOSIGNAL);
		status = program_start(&s->program, &pid, &e);
	}
	if (e.text[0])
		fprintf(stderr, "peelctl: %s\n", e.text);
	release(s);
	if (rc < 0 || status > 0)
		return status;
	(void)program_keep_kill();
	return serve(s, pid);
}
