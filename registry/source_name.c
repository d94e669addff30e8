/* SPDX-License-Identifier: MIT */
#include "registry/source_name.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
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

void source_name_suggest(const char *source, struct err *e)
{
	const char *prefix = NULL, *text;
	struct err old = *e;
	char path[PATH_MAX];
	struct stat st;

	if (source_name_kind(source, &text)->is_local || !e->text[0] ||
	    stat(source, &st) < 0)
		return;
	if (S_ISREG(st.st_mode))
		err_set(e, 0, "%s; docker-archive:%s or oci-archive:%s?", old.text,
			source, source);
	snprintf(path, sizeof(path), "%s/index.json", source);
	if (S_ISDIR(st.st_mode) && access(path, F_OK) == 0)
		prefix = "oci:";
	snprintf(path, sizeof(path), "%s/manifest.json", source);
	if (S_ISDIR(st.st_mode) && !prefix && access(path, F_OK) == 0)
		prefix = "dir:";
	if (prefix)
		err_set(e, 0, "%s; %s%s?", old.text, prefix, source);
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
