/* SPDX-License-Identifier: MIT */
#include "registry/image/reference.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"

/* ASCII only, whatever the locale says. */
static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool is_alnum(char c)
{
	return is_digit(c) || is_lower(c) || is_upper(c);
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_port(const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (!is_digit(text[i]))
			return false;
	}
	return len > 0;
}

/* Letters, digits and inner hyphens. */
static bool is_host_label(const char *text, size_t len)
{
	size_t i;

	if (len == 0 || text[0] == '-' || text[len - 1] == '-')
		return false;
	for (i = 0; i < len; i++) {
		if (!is_alnum(text[i]) && text[i] != '-')
			return false;
	}
	return true;
}

static bool is_ipv6(const char *text, size_t len)
{
	size_t i;

	if (len < 3 || text[0] != '[' || text[len - 1] != ']')
		return false;
	for (i = 1; i < len - 1; i++) {
		if (!is_hex(text[i]) && text[i] != ':')
			return false;
	}
	return true;
}

bool reference_is_host(const char *text, size_t len)
{
	const char *bracket = memchr(text, ']', len);
	size_t name = bracket ? (size_t)(bracket - text) + 1 : 0, start = 0, i;

	while (name < len && text[name] != ':')
		name++;
	if (name < len && !is_port(text + name + 1, len - name - 1))
		return false;
	if (text[0] == '[')
		return is_ipv6(text, name);
	for (i = 0; i <= name; i++) {
		if (i < name && text[i] != '.')
			continue;
		if (!is_host_label(text + start, i - start))
			return false;
		start = i + 1;
	}
	return true;
}

/* Runs of lower-case letters and digits, joined by ".", "_", "__" or hyphens. */
static bool is_path_component(const char *text, size_t len)
{
	size_t i = 0, start;

	for (;;) {
		start = i;
		while (i < len && (is_lower(text[i]) || is_digit(text[i])))
			i++;
		if (i == start)
			return false;
		if (i == len)
			return true;
		if (text[i] == '-') {
			while (i < len && text[i] == '-')
				i++;
		} else if (text[i] == '_') {
			i += i + 1 < len && text[i + 1] == '_' ? 2 : 1;
		} else if (text[i] == '.') {
			i++;
		} else {
			return false;
		}
	}
}

bool reference_is_path(const char *text, size_t len)
{
	size_t start = 0, i;

	if (len > REFERENCE_PATH_MAX)
		return false;
	for (i = 0; i <= len; i++) {
		if (i < len && text[i] != '/')
			continue;
		if (!is_path_component(text + start, i - start))
			return false;
		start = i + 1;
	}
	return true;
}

bool reference_is_tag(const char *text, size_t len)
{
	size_t i;

	if (len == 0 || len > REFERENCE_TAG_MAX)
		return false;
	for (i = 0; i < len; i++) {
		bool word = is_alnum(text[i]) || text[i] == '_';

		if (!word && (i == 0 || (text[i] != '.' && text[i] != '-')))
			return false;
	}
	return true;
}

static bool has_upper(const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (is_upper(text[i]))
			return true;
	}
	return false;
}

/* Length of the host that @text begins with; 0: none, so docker.io by default. */
static size_t host_length(const char *text)
{
	const char *slash = strchr(text, '/');
	size_t len;

	/* "localhost:5000" is an image named localhost with a tag, not a host. */
	if (!slash)
		return 0;
	len = (size_t)(slash - text);
	if (len == strlen("localhost") && strncmp(text, "localhost", len) == 0)
		return len;
	if (memchr(text, '.', len) || memchr(text, ':', len) || has_upper(text, len))
		return len;
	return 0;
}

bool reference_is_short(const char *text)
{
	return host_length(text) == 0;
}

/* Parses "@DIGEST" at the end of text[0..*len) and cuts it off. */
static int take_digest(const char *text, size_t *len, struct reference *r, struct err *e)
{
	const char *at = memchr(text, '@', *len);
	int rc;

	if (!at)
		return 0;
	rc = digest_parse(at + 1, *len - (size_t)(at + 1 - text), &r->digest);
	if (rc == -ENOTSUP &&
	    strspn(at + 1, "abcdefghijklmnopqrstuvwxyz0123456789+._-") > 0 &&
	    strchr(at, ':'))
		return err_set(e, -ENOTSUP,
			       "%s: digests of this algorithm are not supported", text);
	if (rc < 0)
		return err_set(e, -EINVAL,
			       "%s: the text after @ is not a digest "
			       "(sha256: and 64 lower-case hex digits)",
			       text);
	r->has_digest = true;
	*len = (size_t)(at - text);
	return 0;
}

static int take_tag(const char *text, size_t *len, struct reference *r, struct err *e)
{
	const char *colon = memchr(text, ':', *len);
	size_t tag_len;

	if (!colon)
		return 0;
	tag_len = *len - (size_t)(colon + 1 - text);
	if (!reference_is_tag(colon + 1, tag_len))
		return err_set(
			e, -EINVAL,
			"%s: the text after the colon is not a tag (at most %d letters, "
			"digits, _ . -)",
			text, REFERENCE_TAG_MAX);
	memcpy(r->tag, colon + 1, tag_len);
	*len = (size_t)(colon - text);
	return 0;
}

static int take_path(const char *text, size_t len, struct reference *r, struct err *e)
{
	const char *prefix = "";

	if (strcmp(r->host, "docker.io") == 0 && !memchr(text, '/', len))
		prefix = "library/";
	if (len + strlen(prefix) > REFERENCE_PATH_MAX)
		return err_set(e, -EINVAL,
			       "%.40s...: a repository name of more than %d characters",
			       text, REFERENCE_PATH_MAX);
	if (has_upper(text, len))
		return err_set(e, -EINVAL, "%s: a repository name must be lower case",
			       text);
	if (!reference_is_path(text, len))
		return err_set(e, -EINVAL, "%s: not the name of an image", text);
	snprintf(r->path, sizeof(r->path), "%s%.*s", prefix, (int)len, text);
	return 0;
}

static bool is_image_id(const char *text)
{
	size_t i;

	for (i = 0; text[i]; i++) {
		if (!is_digit(text[i]) && !(text[i] >= 'a' && text[i] <= 'f'))
			return false;
	}
	return i == 64;
}

int reference_parse(const char *text, struct reference *out, struct err *e)
{
	struct reference r = {0};
	size_t host = host_length(text), len;
	const char *rest = text;
	int rc;

	if (is_image_id(text))
		return err_set(e, -EINVAL,
			       "%s: an image ID, which no registry can look up", text);
	if (host > REFERENCE_HOST_MAX || (host && !reference_is_host(text, host)))
		return err_set(e, -EINVAL, "%s: not a host name before the first slash",
			       text);
	if (host) {
		memcpy(r.host, text, host);
		rest = text + host + 1;
	}
	if (!host || strcmp(r.host, "index.docker.io") == 0)
		/* strncpy also zeroes the rest */
		strncpy(r.host, "docker.io", sizeof(r.host));
	len = strlen(rest);
	rc = take_digest(rest, &len, &r, e);
	if (rc == 0)
		rc = take_tag(rest, &len, &r, e);
	if (rc == 0)
		rc = take_path(rest, len, &r, e);
	if (rc < 0)
		return rc;
	if (!r.tag[0] && !r.has_digest)
		strcpy(r.tag, "latest");
	*out = r;
	return 0;
}

const char *reference_name(const struct reference *r, char *out)
{
	snprintf(out, REFERENCE_TEXT_MAX, "%s/%s", r->host, r->path);
	return out;
}

const char *reference_format(const struct reference *r, char *out)
{
	char digest[DIGEST_TEXT_MAX] = "";

	if (r->has_digest)
		digest_format(&r->digest, digest);
	snprintf(out, REFERENCE_TEXT_MAX, "%s/%s%s%s%s%s", r->host, r->path,
		 r->tag[0] ? ":" : "", r->tag, r->has_digest ? "@" : "", digest);
	return out;
}

bool reference_host_is_loopback(const char *host)
{
	size_t len = strcspn(host, ":"), i;

	if (strncmp(host, "[::1]", 5) == 0)
		return host[5] == '\0' || host[5] == ':';
	if (len == strlen("localhost") && strncasecmp(host, "localhost", len) == 0)
		return true;
	if (strncmp(host, "127.", 4) != 0)
		return false;
	for (i = 0; i < len; i++) {
		if (!is_digit(host[i]) && host[i] != '.')
			return false; /* 127.example.com is an ordinary name */
	}
	return true;
}
