/* SPDX-License-Identifier: MIT */
/*
 * Keys have many forms: "host", "host:5000", "https://host", "https://host/v1/",
 * "https://index.docker.io/v1/", "host/team/app". An exact match wins; otherwise the
 * hosts in the keys are compared, and docker.io has three names.
 */
#include "registry/auth/credentials.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/home.h"
#include "base/json.h"
#include "base/secret.h"
#include "registry/config/paths.h"
#include "registry/auth/keychain.h"
#include "registry/image/reference.h"
#include "registry/config/registries.h"

#define FILE_MAX   (4u << 20) /* hundreds of logins take some 100 KiB */
#define HUB_SERVER "https://index.docker.io/v1/"

/* NULL for NULL and for "". */
static char *copy_text(const char *text)
{
	return text && text[0] ? strdup(text) : NULL;
}

/* Entries of auths */

/* NULL if @text is not base64, perhaps in lines. NULs after a password end the string. */
static char *decode_auth(const char *text)
{
	size_t max = strlen(text), len = 0;
	char *out = malloc(max + 1);

	if (!out)
		return NULL;
	for (; *text; text++) {
		if (*text != '\r' && *text != '\n')
			out[len++] = *text;
	}
	if (!base64_decode(out, &len))
		len = 0;
	explicit_bzero(out + len, max + 1 - len); /* the rest of @text, or all of it */
	if (len > 0)
		return out;
	free(out);
	return NULL;
}

/* 0; -ENOENT for an empty entry, which helpers leave behind; -EACCES: it cannot be read. */
static int read_entry(const struct json *entry, const char *key, struct credential *out,
		      struct err *e)
{
	const char *auth = json_member_string(entry, "auth");
	char *plain = auth && auth[0] ? decode_auth(auth) : NULL, *colon;
	struct credential c = {
		.identity_token = copy_text(json_member_string(entry, "identitytoken")),
		.registry_token = copy_text(json_member_string(entry, "registrytoken")),
	};

	colon = plain ? strchr(plain, ':') : NULL;
	if (colon) {
		c.user = strndup(plain, (size_t)(colon - plain));
		c.password = strdup(colon + 1);
	} else {
		c.user = copy_text(json_member_string(entry, "username"));
		c.password = copy_text(json_member_string(entry, "password"));
	}
	secret_free(plain);
	if (credential_is_empty(&c)) {
		credential_release(&c);
		if (!auth || !auth[0] || colon)
			return -ENOENT;
		return err_set(e, -EACCES,
			       "the \"auth\" of %s is not the base64 of user:password",
			       key);
	}
	*out = c;
	return 0;
}

/* The host in a key, and its length: "Host:5000" in "https://Host:5000/v1/". */
static const char *host_of(const char *key, size_t *len)
{
	const char *scheme = strstr(key, "://");

	if (scheme)
		key = scheme + 3;
	*len = strcspn(key, "/");
	return key;
}

static bool is_hub(const char *host, size_t len)
{
	static const char *const names[] = {"docker.io", "index.docker.io",
					    "registry-1.docker.io"};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strlen(names[i]) == len && strncasecmp(names[i], host, len) == 0)
			return true;
	}
	return false;
}

/* Whether @key is for all of @host, in any form. */
static bool is_host_key(const char *key, const char *host)
{
	size_t len;
	const char *in_key = host_of(key, &len);

	/* "host/team" without a scheme is a namespace of the host. */
	if (in_key == key && key[len] == '/' && key[len + 1] &&
	    strcmp(key + len, "/v1/") != 0)
		return false;
	if (is_hub(host, strlen(host)) && is_hub(in_key, len))
		return true;
	return strlen(host) == len && strncasecmp(in_key, host, len) == 0;
}

static int find_in_auths(const struct json *auths, const char *host, const char *path,
			 struct credential *out, struct err *e)
{
	char key[REFERENCE_TEXT_MAX];
	char *slash;
	size_t i;
	int rc;

	snprintf(key, sizeof(key), "%s/%s", host, path);
	for (;;) {
		rc = read_entry(json_member(auths, key), key, out, e);
		if (rc != -ENOENT)
			return rc;
		slash = strrchr(key, '/');
		if (!slash)
			break;
		*slash = '\0';
	}
	for (i = 0; i < json_count(auths); i++) {
		const char *host_key = json_key(auths, i);

		rc = host_key && is_host_key(host_key, host)
			     ? read_entry(json_value(auths, i), host_key, out, e)
			     : -ENOENT;
		if (rc != -ENOENT)
			return rc;
	}
	return -ENOENT;
}

/* Helpers */

/* Docker's helpers know the Hub by a URL, other helpers by its name. */
static int ask_helper(const struct credential_query *q, const char *suffix,
		      struct credential *out, struct err *e)
{
	int rc;

	if (!is_hub(q->host, strlen(q->host)))
		return keychain_ask(q->keychain, suffix, q->host, q->anew, out, e);
	rc = keychain_ask(q->keychain, suffix, HUB_SERVER, q->anew, out, e);
	if (rc == -ENOENT)
		rc = keychain_ask(q->keychain, suffix, "docker.io", q->anew, out, e);
	return rc;
}

static const char *helper_for(const struct json *helpers, const char *host)
{
	const char *exact = json_member_string(helpers, host);
	size_t i;

	for (i = 0; !exact && i < json_count(helpers); i++) {
		if (json_key(helpers, i) && is_host_key(json_key(helpers, i), host))
			exact = json_string(json_value(helpers, i));
	}
	return exact;
}

/* Files */

static int find_in_json(const struct credential_query *q, const struct json *j,
			struct credential *out, struct err *e)
{
	const char *suffix = helper_for(json_member(j, "credHelpers"), q->host);
	const char *store = json_member_string(j, "credsStore");
	const struct json *auths = json_member(j, "auths");
	int rc = -ENOENT;

	if (suffix && suffix[0])
		return ask_helper(q, suffix, out, e);
	if (store && store[0])
		rc = ask_helper(q, store, out, e);
	/* ~/.dockercfg has no "auths" around its map. */
	if (rc == -ENOENT)
		rc = find_in_auths(auths ? auths : j, q->host, q->path, out, e);
	return rc;
}

int credentials_in(const struct credential_query *q, const void *text, size_t len,
		   struct credential *out, struct err *e)
{
	struct json *j = NULL;
	int rc = json_parse(text, len, &j, e);

	if (rc < 0)
		return rc;
	rc = find_in_json(q, j, out, e);
	json_free(j);
	return rc;
}

/* Adds to @c that it was found by @place; less is known if memory is short. */
static void note_origin(struct credential *c, const char *place)
{
	size_t max = strlen(place) + (c->origin ? strlen(c->origin) : 0) + 16;
	char *text = malloc(max);

	if (!text)
		return;
	if (c->origin)
		snprintf(text, max, "%s, named in %s", c->origin, place);
	else
		snprintf(text, max, "%s", place);
	free(c->origin);
	c->origin = text;
}

/* @must: the user has named the file, so it has to exist. */
static int find_in_file(const struct credential_query *q, const char *path, bool must,
			struct credential *out, struct err *e)
{
	struct buf text;
	int rc;

	buf_init(&text, FILE_MAX);
	rc = paths_read(path, &text);
	if (rc == 0 && text.len > 0) {
		rc = credentials_in(q, text.data, text.len, out, e);
		if (rc == 0)
			note_origin(out, path);
		else if (rc != -ENOENT)
			rc = err_prefix(e, -EACCES, "%s", path);
	} else if (rc < 0 &&
		   (must || (rc != -ENOENT && rc != -ENOTDIR && rc != -EACCES))) {
		rc = err_set(e, -EACCES, "%s: %s", path, strerror(-rc));
	} else {
		rc = -ENOENT;
	}
	secret_release(&text);
	return rc;
}

/* "$VARIABLE/REST", or "FALLBACK/REST" if the variable is not set. */
static int make_path(char *out, size_t max, const char *variable, const char *fallback,
		     const char *rest)
{
	const char *dir = getenv(variable);
	int len = snprintf(out, max, "%s/%s", dir && dir[0] ? dir : fallback, rest);

	return len < 0 || (size_t)len >= max ? -ENOENT : 0;
}

static int find_in_files(const struct credential_query *q, struct credential *out,
			 struct err *e)
{
	const char *inline_text = getenv("DOCKER_AUTH_CONFIG");
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char run[64], config[4096], docker[4096], file[4200];
	const struct {
		const char *variable, *fallback, *rest;
	} places[] = {
		{"XDG_RUNTIME_DIR", run, "containers/auth.json"},
		{"XDG_CONFIG_HOME", config, "containers/auth.json"},
		{"DOCKER_CONFIG", docker, "config.json"},
		{"HOME", home_dir(), ".dockercfg"},
	};
	int rc = -ENOENT;
	size_t i;

	/* Without $XDG_RUNTIME_DIR, the file is /run/containers/UID/auth.json. */
	snprintf(run, sizeof(run), "/run/containers/%u", (unsigned)getuid());
	snprintf(config, sizeof(config), "%s/.config", home_dir());
	snprintf(docker, sizeof(docker), "%s/.docker", home_dir());
	if (inline_text && inline_text[0])
		rc = credentials_in(q, inline_text, strlen(inline_text), out, e);
	if (rc == 0)
		note_origin(out, "$DOCKER_AUTH_CONFIG");
	for (i = 0; i < sizeof(places) / sizeof(places[0]) && rc == -ENOENT; i++) {
		const char *rest = places[i].rest;

		if (i == 0 && !(runtime && runtime[0]))
			rest = "auth.json";
		rc = make_path(file, sizeof(file), places[i].variable, places[i].fallback,
			       rest);
		if (rc == 0)
			rc = find_in_file(q, file, false, out, e);
	}
	return rc;
}

/*
 * In the order of credential-helpers in registries.conf; after a failure, the next is
 * asked.
 */
static int find_by_helpers(const struct credential_query *q, struct credential *out,
			   struct err *e)
{
	int rc = -ENOENT, failed = -ENOENT;
	struct err one = {""};
	size_t i;

	for (i = 0; i < q->n_helpers && rc < 0; i++) {
		if (strcmp(q->helpers[i], CREDENTIALS_IN_FILES) == 0)
			rc = find_in_files(q, out, &one);
		else
			rc = ask_helper(q, q->helpers[i], out, &one);
		if (rc < 0 && rc != -ENOENT)
			failed = err_set(e, rc, "%s", one.text);
	}
	return rc == 0 ? 0 : failed;
}

int credentials_find(const struct credential_query *q, struct credential *out,
		     struct err *e)
{
	const char *authfile = q->authfile ? q->authfile : getenv("REGISTRY_AUTH_FILE");
	int rc;

	*out = (struct credential){0};
	if (authfile && authfile[0])
		rc = find_in_file(q, authfile, true, out, e);
	else if (q->n_helpers > 0)
		rc = find_by_helpers(q, out, e);
	else
		rc = find_in_files(q, out, e);
	return rc == -ENOENT ? 0 : rc;
}
