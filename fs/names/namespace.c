/* SPDX-License-Identifier: MIT */
#include "fs/names/namespace.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "fs/image/context.h"
#include "fs/image/images.h"
#include "fs/options/log.h"
#include "fs/options/options.h"
#include "fs/names/name_tree.h"
#include "registry/image/reference.h"
#include "registry/source_name.h"

bool namespace_is_host(const char *text, size_t len)
{
	bool is_local = len == 9 && memcmp(text, "localhost", 9) == 0;

	return len > 0 && len <= REFERENCE_HOST_MAX && reference_is_host(text, len) &&
	       (is_local || memchr(text, '.', len) || memchr(text, ':', len));
}

int namespace_prefix(const char *source, char *prefix, size_t size, struct err *e)
{
	const char *text, *path;
	size_t len, host;

	(void)source_name_kind(source, &text);
	if (!text[0])
		text = source; /* "docker://" alone names nothing */
	len = strlen(text);
	while (len > 0 && text[len - 1] == '/')
		len--;
	host = strcspn(text, "/");
	if (len == 0)
		host = 0;
	else if (!namespace_is_host(text, host))
		host = 0;
	path = text + host + (host < len && host > 0);
	if ((len > host && !reference_is_path(path, len - (size_t)(path - text))) ||
	    len + sizeof("docker.io/") > size)
		return err_set(e, -EINVAL, "%s: neither a registry nor a part of one",
			       source);
	snprintf(prefix, size, "%s%.*s", len > 0 && host == 0 ? "docker.io/" : "",
		 (int)len, text);
	return 0;
}

/* A directory name that a shell completed ends in a slash, too. */
static void warn_of_directory(struct log *log, const char *source, const char *prefix)
{
	struct stat st;

	if (!prefix[0] || strncmp(prefix, source, strlen(prefix)) == 0 ||
	    stat(source, &st) < 0 || !S_ISDIR(st.st_mode))
		return;
	log_warn(log, "%s is %s/, not the directory of that name, which is oci:%s",
		 source, prefix, source);
}

int namespace_new(const char *source, struct images *images, struct snapshots *snapshots,
		  struct namespace **out, struct err *e)
{
	struct context *c = images->context;
	char prefix[NAME_PATH_MAX];
	struct namespace *ns;
	int rc = namespace_prefix(source, prefix, sizeof(prefix), e);

	if (rc < 0)
		return rc;
	if (options_shows_rootfs(c->options))
		return err_set(e, -EINVAL, "%s: layout=rootfs is for one image", source);
	ns = calloc(1, sizeof(*ns));
	rc = ns ? name_tree_new(prefix, c->options->tag_ttl, &ns->tree) : -ENOMEM;
	if (rc < 0) {
		free(ns);
		return err_set(e, rc, "out of memory");
	}
	ns->context = c;
	ns->images = images;
	ns->snapshots = snapshots;
	warn_of_directory(c->log, source, prefix);
	*out = ns;
	return 0;
}

void namespace_free(struct namespace *ns)
{
	if (!ns)
		return;
	name_tree_free(ns->tree);
	free(ns);
}

bool namespace_is_hub(const char *path)
{
	size_t len = strcspn(path, "/");

	return len == 9 && memcmp(path, "docker.io", 9) == 0;
}

void namespace_note(struct namespace *ns, const struct name *name, const char *text,
		    const struct err *e)
{
	size_t len = strlen(name_tree_get(ns->tree, NAME_TOP)->text);
	char full[NAME_PATH_MAX], path[NAME_PATH_MAX + NAME_MAX + 3];
	const char *below;

	name_tree_path(ns->tree, name, full);
	below = full + len + (full[len] == '/');
	snprintf(path, sizeof(path), "/%s%s%s", below, below[0] && text[0] ? "/" : "",
		 text);
	context_note(ns->context, path, e->text);
}

void namespace_warn(struct namespace *ns, const struct name *name, const char *text,
		    int rc, const struct err *e)
{
	if (rc == -ENOENT || rc == -EINTR)
		return;
	__atomic_add_fetch(&ns->context->failures.n, 1, __ATOMIC_RELAXED);
	namespace_note(ns, name, text, e);
	log_warn(ns->context->log, "%s", e->text);
}
