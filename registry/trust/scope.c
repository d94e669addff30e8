/* SPDX-License-Identifier: MIT */
#include "registry/trust/scope.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "registry/image/reference.h"

/* @name and what is above it, up to the first slash, but not "" and not "/". */
static bool walk_up(char *name, scope_fn *fn, void *arg)
{
	char *slash;

	for (;;) {
		if (fn(arg, name))
			return true;
		slash = strrchr(name, '/');
		if (!slash || slash == name)
			return false;
		*slash = '\0';
	}
}

/* "*.example.com" and "*.com" of "registry.example.com:5000". */
static bool walk_domains(const char *host, scope_fn *fn, void *arg)
{
	char text[REFERENCE_HOST_MAX + 3];
	size_t len = strcspn(host, ":");
	const char *dot = host;

	while ((dot = memchr(dot, '.', len - (size_t)(dot - host)))) {
		snprintf(text, sizeof(text), "*%.*s", (int)(len - (size_t)(dot - host)),
			 dot);
		if (fn(arg, text))
			return true;
		dot++;
	}
	return false;
}

static bool walk_reference(const struct reference *r, scope_fn *fn, void *arg)
{
	struct reference one = *r;
	char text[REFERENCE_TEXT_MAX];

	/* The digest decides what an image is; the tag beside it says nothing. */
	if (one.has_digest)
		one.tag[0] = '\0';
	if (fn(arg, reference_format(&one, text)))
		return true;
	reference_name(&one, text);
	return walk_up(text, fn, arg) || walk_domains(one.host, fn, arg);
}

bool scope_walk(const struct subject *s, scope_fn *fn, void *arg)
{
	char path[PATH_MAX];

	if (s->reference && walk_reference(s->reference, fn, arg))
		return true;
	/* A docker archive has no identity (containers-transports(5) names no scopes for it). */
	if (s->path && strcmp(s->transport, "docker-archive") != 0) {
		snprintf(path, sizeof(path), "%s", s->path);
		if (walk_up(path, fn, arg))
			return true;
	}
	return fn(arg, "");
}

/* Absolute, and without "//", "/./", "/../" or a slash at its end. */
static bool is_clean_path(const char *path)
{
	size_t len;

	if (path[0] != '/')
		return false;
	while (*path == '/') {
		path++;
		len = strcspn(path, "/");
		if (len == 0 || (len == 1 && path[0] == '.') ||
		    (len == 2 && strncmp(path, "..", 2) == 0))
			return false;
		path += len;
	}
	return true;
}

int scope_check(const char *transport, const char *scope, struct err *e)
{
	if (!scope[0])
		return 0;
	if (strcmp(transport, "docker-archive") == 0)
		return err_set(e, -EBADMSG, "docker-archive has no scope but \"\"");
	if ((strcmp(transport, "dir") == 0 || strcmp(transport, "oci") == 0 ||
	     strcmp(transport, "oci-archive") == 0) &&
	    !is_clean_path(scope))
		return err_set(e, -EBADMSG,
			       "the scope %.200s of %s is not an absolute path in its "
			       "shortest form",
			       scope, transport);
	return 0;
}
