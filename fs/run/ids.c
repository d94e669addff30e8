/* SPDX-License-Identifier: MIT */
#include "fs/run/ids.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/num.h"
#include "fs/run/rooted.h"

/* Of /etc/subuid: a machine with 100,000 users. */
#define FILE_MAX (4 << 20)

/* Of a map as text: three numbers a row. */
#define MAP_MAX (IDS_ROWS_MAX * 40)

extern char **environ;

static uint64_t map_end(const struct id_map *m)
{
	const struct id_row *last;

	if (m->n == 0)
		return 0;
	last = &m->rows[m->n - 1];
	return (uint64_t)last->inside + last->count;
}

static bool is_outside(const struct id_map *m, uint64_t start, uint64_t count)
{
	size_t i;

	for (i = 0; i < m->n; i++) {
		if (start < (uint64_t)m->rows[i].outside + m->rows[i].count &&
		    m->rows[i].outside < start + count)
			return false;
	}
	return true;
}

static void add_row(struct id_map *m, uint64_t start, uint64_t count)
{
	uint64_t inside = map_end(m);

	/* (uid_t)-1 is no ID. */
	if (count == 0 || start + count > UINT32_MAX || inside + count > UINT32_MAX ||
	    m->n == IDS_ROWS_MAX || !is_outside(m, start, count))
		return;
	m->rows[m->n++] = (struct id_row){(uint32_t)inside, (uint32_t)start,
					  (uint32_t)count};
}

/* NAME:START:COUNT */
static void parse_line(struct id_map *m, const char *line, size_t len, const char *name,
		       const char *number)
{
	const char *start = memchr(line, ':', len), *count, *end = line + len;
	uint64_t from, n;
	size_t name_len;

	count = start ? memchr(start + 1, ':', (size_t)(end - start - 1)) : NULL;
	if (!count)
		return;
	name_len = (size_t)(start - line);
	if ((name_len != strlen(name) || memcmp(line, name, name_len) != 0) &&
	    (name_len != strlen(number) || memcmp(line, number, name_len) != 0))
		return;
	if (num_parse(start + 1, (size_t)(count - start - 1), UINT32_MAX, &from) &&
	    num_parse(count + 1, (size_t)(end - count - 1), UINT32_MAX, &n))
		add_row(m, from, n);
}

void ids_parse(struct id_map *m, const char *text, const char *name, uint32_t uid)
{
	char number[16];
	size_t len;

	snprintf(number, sizeof(number), "%u", uid);
	for (; *text; text += len + (text[len] == '\n')) {
		len = strcspn(text, "\n");
		parse_line(m, text, len, name, number);
	}
}

bool ids_has(const struct id_map *m, uint32_t inside)
{
	size_t i;

	for (i = 0; i < m->n; i++) {
		if (inside >= m->rows[i].inside &&
		    inside - m->rows[i].inside < m->rows[i].count)
			return true;
	}
	return false;
}

/* FINDING */

/* Rows for all IDs of this namespace as they are. */
static int copy_own(struct id_map *m, const char *path, struct err *e)
{
	FILE *f = fopen(path, "re");
	unsigned inside, outside, count;

	if (!f)
		return err_set(e, -errno, "cannot read %s: %s", path, strerror(errno));
	while (m->n < IDS_ROWS_MAX &&
	       fscanf(f, "%u %u %u", &inside, &outside, &count) == 3)
		m->rows[m->n++] = (struct id_row){inside, inside, count};
	fclose(f);
	return m->n > 0 ? 0 : err_set(e, -EIO, "%s is empty", path);
}

static void add_subordinate(struct id_map *m, const char *path, const char *name)
{
	struct buf text;

	buf_init(&text, FILE_MAX);
	if (rooted_load_own(path, &text) == 0)
		ids_parse(m, buf_text(&text), name, getuid());
	buf_release(&text);
}

static bool has_program(const char *name)
{
	const char *path = getenv("PATH"), *end;
	char file[4096];

	for (; path && *path; path = *end ? end + 1 : end) {
		end = strchrnul(path, ':');
		snprintf(file, sizeof(file), "%.*s/%s", (int)(end - path), path, name);
		if (access(file, X_OK) == 0)
			return true;
	}
	return false;
}

static void find_users(struct ids *ids)
{
	const struct passwd *pw = getpwuid(getuid());
	const char *name = pw ? pw->pw_name : "";

	ids->users = (struct id_map){.rows = {{0, getuid(), 1}}, .n = 1};
	ids->groups = (struct id_map){.rows = {{0, getgid(), 1}}, .n = 1};
	if (has_program("newuidmap") && has_program("newgidmap")) {
		add_subordinate(&ids->users, "/etc/subuid", name);
		add_subordinate(&ids->groups, "/etc/subgid", name);
	}
	ids->is_single = ids->users.n == 1 || ids->groups.n == 1;
	if (ids->is_single)
		ids->users.n = ids->groups.n = 1;
}

int ids_find(struct ids *ids, struct err *e)
{
	int rc = 0;

	memset(ids, 0, sizeof(*ids));
	ids->is_root = geteuid() == 0;
	if (!ids->is_root) {
		find_users(ids);
		return 0;
	}
	rc = copy_own(&ids->users, "/proc/self/uid_map", e);
	if (rc == 0)
		rc = copy_own(&ids->groups, "/proc/self/gid_map", e);
	ids->is_single = ids->users.n == 1 && ids->users.rows[0].count == 1;
	return rc;
}

/* APPLYING */

static int write_file(pid_t pid, const char *name, const char *text)
{
	char path[64];
	int fd, rc = 0;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

static int write_map(const struct id_map *m, pid_t pid, const char *name, struct err *e)
{
	struct buf text;
	size_t i;
	int rc = 0;

	buf_init(&text, MAP_MAX);
	for (i = 0; rc == 0 && i < m->n; i++)
		rc = buf_printf(&text, "%u %u %u\n", m->rows[i].inside,
				m->rows[i].outside, m->rows[i].count);
	if (rc == 0)
		rc = write_file(pid, name, buf_text(&text));
	buf_release(&text);
	return rc < 0 ? err_set(e, rc,
				"the kernel refuses the %s of a user namespace: %s", name,
				strerror(-rc))
		      : 0;
}

static int wait_for_end(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EPERM;
}

/* newuidmap PID INSIDE OUTSIDE COUNT ... */
static int call_helper(const char *program, const struct id_map *m, pid_t pid,
		       struct err *e)
{
	char numbers[IDS_ROWS_MAX * 3 + 1][16];
	char *argv[IDS_ROWS_MAX * 3 + 3] = {(char *)program};
	size_t i, n = 0;
	pid_t child;
	int rc;

	snprintf(numbers[n++], sizeof(numbers[0]), "%d", (int)pid);
	for (i = 0; i < m->n; i++) {
		snprintf(numbers[n++], sizeof(numbers[0]), "%u", m->rows[i].inside);
		snprintf(numbers[n++], sizeof(numbers[0]), "%u", m->rows[i].outside);
		snprintf(numbers[n++], sizeof(numbers[0]), "%u", m->rows[i].count);
	}
	for (i = 0; i < n; i++)
		argv[i + 1] = numbers[i];
	rc = -posix_spawnp(&child, program, NULL, NULL, argv, environ);
	if (rc == 0)
		rc = wait_for_end(child);
	return rc < 0 ? err_set(e, rc, "%s cannot map your subordinate IDs: %s", program,
				rc == -EPERM ? "it was refused" : strerror(-rc))
		      : 0;
}

int ids_apply(const struct ids *ids, pid_t pid, struct err *e)
{
	int rc;

	if (!ids->is_root && !ids->is_single) {
		rc = call_helper("newuidmap", &ids->users, pid, e);
		return rc < 0 ? rc : call_helper("newgidmap", &ids->groups, pid, e);
	}
	rc = write_map(&ids->users, pid, "uid_map", e);
	/* The kernel asks this of a user who maps a group. */
	if (rc == 0 && ids->is_single)
		rc = write_file(pid, "setgroups", "deny");
	return rc < 0 ? rc : write_map(&ids->groups, pid, "gid_map", e);
}
