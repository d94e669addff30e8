/* SPDX-License-Identifier: MIT */
/*
 * Configuration with which engines start containers from a mount. Printed by default. With
 * --write the files are written, but a file of the user is changed only if that is certain to
 * be right; else the lines are printed for the user to add.
 */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/home.h"
#include "fs/ctl/ctl.h"
#include "fs/ctl/setup_file.h"
#include "fs/ctl/setup_text.h"
#include "fs/ctl/storage_conf.h"
#include "fs/ctl/words.h"
#include "fs/options/options.h"

/* Where everything is, of one engine. */
struct places {
	char peelfs[PATH_MAX];
	char podman[PATH_MAX];
	char store[PATH_MAX];
	char images[PATH_MAX];
	char cache[PATH_MAX];
	char conf[PATH_MAX];
	char unit[PATH_MAX];
	struct setup setup;
};

/* PLACES */

static void join(char *out, const char *dir, const char *name)
{
	size_t len = strlen(dir), n = strlen(name);

	/* A path that is too long cannot be made anyway. */
	if (len + n >= PATH_MAX)
		len = 0;
	memcpy(out, dir, len);
	memcpy(out + len, name, n + 1);
}

/* $NAME if that is absolute, else @below the home directory. */
static const char *user_dir(const char *name, const char *below, char *out)
{
	const char *set = getenv(name);

	if (set && set[0] == '/')
		join(out, set, "");
	else
		join(out, home_dir(), below);
	return out;
}

/* The program beside this one. */
static int find_peelfs(char *out, struct err *e)
{
	ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - sizeof("/peelfs"));
	char *slash;

	if (n < 0)
		return err_set(e, -errno, "/proc/self/exe: %s", strerror(errno));
	out[n] = '\0';
	slash = strrchr(out, '/');
	strcpy(slash ? slash : out, "/peelfs");
	if (access(out, X_OK) < 0)
		return err_set(e, -errno, "%s: %s", out, strerror(errno));
	return 0;
}

static void find_podman(char *out)
{
	const char *path = getenv("PATH"), *end;

	for (; path && *path; path = *end ? end + 1 : end) {
		end = strchrnul(path, ':');
		if (*path == '/' &&
		    snprintf(out, PATH_MAX, "%.*s/podman", (int)(end - path), path) <
			    PATH_MAX &&
		    access(out, X_OK) == 0)
			return;
	}
	strcpy(out, "/usr/bin/podman");
}

/* STORE is short: podman 4 has 4 KiB for the names of all layers of a container. */
static void place_podman(struct places *p, bool is_user)
{
	char config[PATH_MAX], data[PATH_MAX], cache[PATH_MAX];

	if (is_user) {
		user_dir("XDG_CONFIG_HOME", "/.config", config);
		user_dir("XDG_DATA_HOME", "/.local/share", data);
		join(p->cache, user_dir("XDG_CACHE_HOME", "/.cache", cache), "/peelfs");
		find_podman(p->podman);
	}
	join(p->conf, is_user ? config : "/etc", "/containers/storage.conf");
	join(p->unit, is_user ? config : "/etc",
	     is_user ? "/systemd/user/peelfs-podman.service"
		     : "/systemd/system/peelfs-podman.service");
	join(p->images, is_user ? config : "/etc", "/peelfs/podman.images");
	join(p->store, is_user ? data : "/var/lib", "/peelfs/podman");
}

static void place_containerd(struct places *p)
{
	strcpy(p->conf, "/etc/containerd/config.toml");
	strcpy(p->unit, "/etc/systemd/system/peelfs-containerd.service");
	strcpy(p->images, "/etc/peelfs/containerd.images");
	strcpy(p->store, "/var/lib/peelfs/containerd");
}

static int find_places(struct places *p, enum setup_engine engine, bool is_user,
		       const char *options, struct err *e)
{
	if (engine == SETUP_PODMAN)
		place_podman(p, is_user);
	else
		place_containerd(p);
	p->setup = (struct setup){
		.engine = engine,
		.is_user = is_user,
		.peelfs = p->peelfs,
		.podman = p->podman,
		.store = p->store,
		.images = p->images,
		.cache = p->cache,
		.options = options,
	};
	return find_peelfs(p->peelfs, e);
}

/* THE FILES */

static int make_conf(const struct places *p, struct buf *out)
{
	return p->setup.engine == SETUP_PODMAN ? setup_write_storage_conf(&p->setup, out)
					       : setup_write_containerd(&p->setup, out);
}

static int make_unit(const struct places *p, struct buf *out)
{
	return setup_write_unit(&p->setup, out);
}

static int print_file(const struct places *p, const char *path,
		      int (*make)(const struct places *p, struct buf *out))
{
	struct buf text;
	int rc;

	buf_init(&text, STORAGE_CONF_MAX);
	rc = make(p, &text);
	if (rc == 0) {
		ctl_print("# %s", path);
		ctl_write(buf_text(&text), text.len);
	}
	buf_release(&text);
	return rc == 0 ? 0 : ctl_error("%s: %s", path, strerror(-rc));
}

static int print_all(const struct places *p)
{
	int status = print_file(p, p->conf, make_conf);

	if (status == 0) {
		ctl_print("%s", "");
		status = print_file(p, p->unit, make_unit);
	}
	return status;
}

/* What follows when all is written. */
static void print_next(const struct places *p)
{
	const char *unit = strrchr(p->unit, '/') + 1,
		   *user = p->setup.is_user ? " --user" : "";

	ctl_print("next:     systemctl%s daemon-reload", user);
	ctl_print("          systemctl%s enable --now %s", user, unit);
	if (p->setup.engine == SETUP_CONTAINERD)
		ctl_print("          systemctl restart containerd");
	ctl_print("          %speelctl add %s IMAGE...",
		  p->setup.is_user ? "podman unshare " : "", p->store);
}

static int write_file(const char *path, const struct buf *text, struct err *e)
{
	char backup[PATH_MAX];
	int rc = setup_file_write(path, text, backup, sizeof(backup), e);

	if (rc == 0)
		ctl_print("wrote     %s%s%s", path,
			  backup[0] ? "; what it was is in " : "", backup);
	return rc;
}

/*
 * The text that the file is to have. 1: @out has it; 0: it is as it should be; -ENOTSUP and a
 * sentence: it cannot be changed with certainty.
 */
static int change_conf(const struct places *p, struct buf *out, struct err *e)
{
	struct buf before;
	int rc;

	buf_init(&before, STORAGE_CONF_MAX);
	rc = setup_file_read(p->conf, &before, e);
	if (rc == 1) {
		rc = make_conf(p, out) < 0 ? err_set(e, -ENOMEM, "out of memory") : 1;
	} else if (rc == 0 && p->setup.engine == SETUP_PODMAN) {
		rc = storage_conf_add(&before, p->store, out, e);
		if (rc < 0)
			err_prefix(e, rc, "%s", p->conf);
	} else if (rc == 0) {
		rc = make_conf(p, out);
		if (rc == 0 && strcmp(buf_text(out), buf_text(&before)) != 0)
			rc = err_set(e, -ENOTSUP, "%s exists", p->conf);
	}
	buf_release(&before);
	return rc;
}

static int write_conf(const struct places *p, struct err *e)
{
	struct buf text;
	int rc;

	buf_init(&text, 2 * STORAGE_CONF_MAX);
	rc = change_conf(p, &text, e);
	if (rc == 1)
		rc = write_file(p->conf, &text, e);
	buf_release(&text);
	return rc;
}

static int write_unit(const struct places *p, struct err *e)
{
	struct buf text;
	int rc;

	buf_init(&text, STORAGE_CONF_MAX);
	rc = make_unit(p, &text);
	rc = rc < 0 ? err_set(e, rc, "%s", strerror(-rc)) : write_file(p->unit, &text, e);
	buf_release(&text);
	return rc;
}

/* The directory of the list, and the mount point: without it podman refuses all commands. */
static int make_dirs(const struct places *p, struct err *e)
{
	char dir[PATH_MAX];
	int rc;

	join(dir, p->images, "");
	*strrchr(dir, '/') = '\0';
	rc = setup_file_make_dir(dir, e);
	return rc < 0 ? rc : setup_file_make_dir(p->store, e);
}

static int write_all(const struct places *p)
{
	struct err e = {"out of memory"}, refused;
	int rc = make_dirs(p, &e), conf;

	if (rc == 0)
		rc = write_unit(p, &e);
	if (rc < 0)
		return ctl_error("%s", e.text);
	conf = write_conf(p, &refused);
	if (conf == -ENOTSUP) {
		ctl_error("%s: add these lines yourself", refused.text);
		print_file(p, p->conf, make_conf);
		return 1;
	}
	if (conf < 0)
		return ctl_error("%s", refused.text);
	print_next(p);
	return 0;
}

/* THE COMMAND */

/* systemd starts the mount in another directory than this one. */
static int check_absolute(const char *path, struct err *e)
{
	if (!path || path[0] == '/')
		return 0;
	return err_set(e, -EINVAL, "%s: the unit needs an absolute path", path);
}

static int check_paths(const struct options *o, struct err *e)
{
	const char *const files[] = {o->cache_dir, o->client.authfile, o->client.cacert,
				     o->client.policy, o->client.verify};
	const char *list = o->lower_cache;
	char *dir;
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < sizeof(files) / sizeof(files[0]); i++)
		rc = check_absolute(files[i], e);
	while (rc == 0 && list) {
		rc = options_next_dir(&list, &dir);
		if (rc != 1)
			break;
		rc = check_absolute(dir, e);
		free(dir);
	}
	return rc;
}

/* Whether a list after -o has layout=, which is the engine's. */
static bool names_layout(const char *list)
{
	static const char name[] = "layout=";
	const char *p = list;

	for (;;) {
		if (strncmp(p, name, strlen(name)) == 0)
			return true;
		for (; *p != ','; p++) {
			if (*p == '\\' && p[1])
				p++;
			if (!*p)
				return false;
		}
		p++;
	}
}

/* The options of all lists, of which peelfs itself would accept each. */
static int join_options(const struct words *w, struct buf *out, struct err *e)
{
	struct options parsed;
	size_t i;
	int rc = words_options(w, "/", &parsed, e);

	if (rc == 0)
		rc = check_paths(&parsed, e);
	options_release(&parsed);
	for (i = 0; rc == 0 && i < w->n_lists; i++) {
		if (names_layout(w->lists[i]))
			return err_set(e, -EINVAL, "the engine decides the layout");
		rc = buf_printf(out, "%s%s", i ? "," : "", w->lists[i]);
	}
	return rc;
}

static int run_parsed(const struct words *w, bool is_user, bool writes)
{
	static struct places places;
	enum setup_engine engine;
	struct buf options;
	struct err e = {"out of memory"};
	int rc, status;

	if (w->verbose)
		return ctl_usage("setup: unknown option -v");
	if (w->n_operands != 1)
		return ctl_usage("setup: expected podman or containerd");
	if (strcmp(w->operands[0], "podman") == 0)
		engine = SETUP_PODMAN;
	else if (strcmp(w->operands[0], "containerd") == 0)
		engine = SETUP_CONTAINERD;
	else
		return ctl_usage("setup: %s: expected podman or containerd",
				 w->operands[0]);
	if (is_user && engine == SETUP_CONTAINERD)
		return ctl_usage("setup: --user is for podman: containerd mounts EROFS, "
				 "which takes root");
	buf_init(&options, 65536);
	rc = join_options(w, &options, &e);
	if (rc < 0) {
		buf_release(&options);
		return ctl_usage("setup: %s", e.text);
	}
	rc = find_places(&places, engine, is_user, buf_text(&options), &e);
	if (rc < 0)
		status = ctl_error("%s", e.text);
	else
		status = writes ? write_all(&places) : print_all(&places);
	buf_release(&options);
	return status;
}

static int run_setup(char **words)
{
	bool is_user = false, writes = false;
	const struct word_flag flags[] = {
		{.name = "user", .on = &is_user},
		{.name = "write", .on = &writes},
		{.letter = '\0'},
	};
	struct words w;
	struct err e;
	int status;

	if (words_parse(&w, words, flags, &e) < 0)
		status = ctl_usage("setup: %s", e.text);
	else
		status = run_parsed(&w, is_user, writes);
	words_release(&w);
	return status;
}

const struct ctl_command setup_command = {
	"setup",
	"setup podman [--user] [--write] [-o OPTION[,OPTION...]]\n"
	"setup containerd [--write] [-o OPTION[,OPTION...]]",
	"  setup     print the configuration with which an engine runs images of a mount, and a\n"
	"            unit of systemd; --write: write the files and keep what was there; -o:\n"
	"            more options for the mount\n",
	run_setup,
};
