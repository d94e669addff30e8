/* SPDX-License-Identifier: MIT */
#include "registry/source_name.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mountinfo.h"
#include "registry/disk/docker_archive.h"
#include "registry/disk/layout.h"
#include "registry/remote/client.h"
#include "registry/remote/repository.h"

static int open_oci(const char *source, const char *text, struct client *c,
		    struct backend **out, struct err *e)
{
	(void)c;
	return layout_open(source, text, LAYOUT_OCI, NULL, out, e);
}

static int open_oci_archive(const char *source, const char *text, struct client *c,
			    struct backend **out, struct err *e)
{
	return layout_open(source, text, LAYOUT_ARCHIVE, client_archive_helper(c), out,
			   e);
}

static int open_dir(const char *source, const char *text, struct client *c,
		    struct backend **out, struct err *e)
{
	(void)c;
	return layout_open(source, text, LAYOUT_PLAIN, NULL, out, e);
}

static int open_docker_archive(const char *source, const char *text, struct client *c,
			       struct backend **out, struct err *e)
{
	return docker_archive_open(source, text, client_archive_helper(c), out, e);
}

static int open_repository(const char *source, const char *text, struct client *c,
			   struct backend **out, struct err *e)
{
	(void)source;
	return repository_open(text, c, out, e);
}

/* The names are skopeo's (containers-transports(5)). The last row matches everything. */
static const struct source_kind kinds[] = {
	{.prefix = "oci:", .is_local = true, .has_tag = true, .open = open_oci},
	{.prefix = "oci-archive:",
	 .is_local = true,
	 .has_tag = true,
	 .open = open_oci_archive},
	{.prefix = "docker-archive:",
	 .is_local = true,
	 .has_tag = true,
	 .open = open_docker_archive},
	{.prefix = "dir:", .is_local = true, .open = open_dir},
	{.prefix = "containers-storage:", .is_local = true},
	{.prefix = "docker-daemon:", .is_local = true},
	{.prefix = "sif:", .is_local = true},
	{.prefix = "tarball:", .is_local = true},
	{.prefix = "docker://", .has_tag = true, .open = open_repository},
	{.prefix = "", .has_tag = true, .open = open_repository},
};

static bool has_prefix(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

const struct source_kind *source_name_kind(const char *source, const char **text)
{
	const struct source_kind *k = kinds;

	while (!has_prefix(source, k->prefix))
		k++;
	if (text)
		*text = source + strlen(k->prefix);
	return k;
}

static bool has_file(const char *dir, const char *name)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/%s", dir, name);

	return n > 0 && (size_t)n < sizeof(path) && access(path, F_OK) == 0;
}

/* The prefix with which the image in this directory is written; NULL: there is none. */
static const char *directory_prefix(const char *dir)
{
	if (has_file(dir, "oci-layout") ||
	    (has_file(dir, "index.json") && has_file(dir, "blobs")))
		return "oci:";
	return has_file(dir, "manifest.json") && has_file(dir, "version") ? "dir:" : NULL;
}

/* -EEXIST if the file that @arg describes is in this mount. */
static int match_mount(void *arg, const struct mountinfo *m)
{
	const struct stat *st = arg;

	return st->st_dev == m->device ? -EEXIST : 0;
}

static void suggest_directory(const char *dir, struct stat *st, struct err *e)
{
	const char *prefix = directory_prefix(dir);
	struct err old = *e;

	if (prefix)
		err_set(e, 0, "%s; %s%s?", old.text, prefix, dir);
	else if (mountinfo_each(match_mount, st) != -EEXIST)
		return;
	else if (has_file(dir, "rootfs"))
		err_set(e, 0, "%s; %s is a mounted image: its files are in %s/rootfs",
			old.text, dir, dir);
	else
		err_set(e, 0, "%s; %s is in a mount: its files can be read as they are",
			old.text, dir);
}

/* "localhost:5000", which is a name and a tag. */
static bool is_host_and_port(const char *text)
{
	size_t host = strcspn(text, ":/");
	const char *port = text + host + 1;

	return text[host] == ':' && *port && !port[strspn(port, "0123456789")] &&
	       (memchr(text, '.', host) || strncmp(text, "localhost:", 10) == 0);
}

void source_name_suggest(const char *source, struct err *e)
{
	const char *text;
	struct err old = *e;
	struct stat st;

	if (source_name_kind(source, &text)->is_local || !e->text[0])
		return;
	if (stat(source, &st) < 0) {
		if (is_host_and_port(text))
			err_set(e, 0, "%s; %s/ browses that registry", old.text, source);
	} else if (S_ISREG(st.st_mode)) {
		err_set(e, 0, "%s; docker-archive:%s or oci-archive:%s?", old.text,
			source, source);
	} else if (S_ISDIR(st.st_mode)) {
		suggest_directory(source, &st, e);
	}
}

void source_name_restore(const char *source, struct err *e)
{
	const char *path;
	const struct source_kind *k = source_name_kind(source, &path);
	size_t len = strcspn(path, ":");
	struct err old = *e;

	if (len > 0 && strncmp(old.text, path, len) == 0 && old.text[len] == ':')
		err_set(e, 0, "%s%s", k->prefix, old.text);
}

int source_name_check(const char *source, struct err *e)
{
	const char *text;
	const struct source_kind *k = source_name_kind(source, &text);

	if (!k->open)
		return err_set(e, -ENOTSUP,
			       "%s: sources of the form %s are not supported", source,
			       k->prefix);
	if (k->is_local && !text[0])
		return err_set(e, -EINVAL, "%s: the path is missing", source);
	if (has_prefix(source, "http://") || has_prefix(source, "https://"))
		return err_set(e, -EINVAL, "%s: a reference is written without %.*s//",
			       source, (int)strcspn(source, "/"), source);
	if (source[0] == '/' || has_prefix(source, "./") || has_prefix(source, "../"))
		return err_set(
			e, -EINVAL,
			"%s: an image on disk is written as oci:DIR, oci-archive:FILE, "
			"docker-archive:FILE or dir:DIR",
			source);
	return 0;
}

bool source_name_is_namespace(const char *source)
{
	size_t len = strlen(source);

	return len > 0 && source[len - 1] == '/' && !source_name_is_local(source);
}

bool source_name_is_local(const char *name)
{
	return source_name_kind(name, NULL)->is_local;
}

const char *source_name_tag(const char *name, size_t *len)
{
	const char *end, *text, *colon;

	if (!source_name_kind(name, &text)->has_tag)
		return NULL;
	end = strstr(text, "@sha");
	if (!end)
		end = text + strlen(text);
	colon = memrchr(text, ':', (size_t)(end - text));
	/* The colon of a port, or of "file:@0": neither precedes a tag. */
	if (!colon || colon + 1 == end || colon[1] == '@' ||
	    memchr(colon, '/', (size_t)(end - colon)))
		return NULL;
	*len = (size_t)(end - colon) - 1;
	return colon + 1;
}
