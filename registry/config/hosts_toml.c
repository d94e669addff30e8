/* SPDX-License-Identifier: MIT */
#include "registry/config/hosts_toml.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "registry/config/paths.h"
#include "registry/image/reference.h"
#include "registry/config/toml.h"

#define FILE_MAX  (1u << 20)
#define HOSTS_MAX 64

struct hosts_parser {
	struct hosts_toml *out;
	const char *folder;
	struct err *e;
};

static void toml_host_release(struct toml_host *h)
{
	size_t i;

	free(h->scheme);
	free(h->host);
	free(h->prefix);
	for (i = 0; i < h->n_ca; i++)
		free(h->ca[i]);
	free(h->client_cert);
	free(h->client_key);
	for (i = 0; i < h->n_headers; i++)
		secret_free(h->headers[i]);
	free(h->url);
}

void hosts_toml_release(struct hosts_toml *ht)
{
	size_t i;

	for (i = 0; i < ht->n; i++)
		toml_host_release(&ht->list[i]);
	toml_host_release(&ht->own);
	free(ht->list);
	*ht = (struct hosts_toml){0};
}

/* The host with this key, perhaps a new one. NULL: out of memory, or too many. */
static struct toml_host *toml_host_get(struct hosts_toml *ht, const char *url)
{
	struct toml_host *h;
	size_t i;

	for (i = 0; i < ht->n; i++) {
		if (strcmp(ht->list[i].url, url) == 0)
			return &ht->list[i];
	}
	if (ht->n == HOSTS_MAX || array_grow(&ht->list, ht->n, sizeof(*ht->list)) < 0)
		return NULL;
	h = &ht->list[ht->n];
	*h = (struct toml_host){.pull = true, .resolve = true, .url = strdup(url)};
	ht->n += h->url != NULL;
	return h->url ? h : NULL;
}

/* Makes a file name absolute. */
static char *absolute(const char *folder, const char *name)
{
	char path[PATH_MAX];

	if (name[0] == '/')
		return strdup(name);
	return paths_join(path, folder, name) == 0 ? strdup(path) : NULL;
}

static int on_capability(struct toml_host *h, const struct toml_item *item)
{
	if (item->at == 0)
		h->pull = h->resolve = false;
	if (strcmp(item->text, "pull") == 0)
		h->pull = true;
	else if (strcmp(item->text, "resolve") == 0)
		h->resolve = true;
	return 0;
}

/* "FILE" with certificate and key, ["CERT", "KEY"], or the first of a list of these. */
static int on_client(struct hosts_parser *rd, struct toml_host *h,
		     const struct toml_item *item)
{
	char **to = item->at == 0 ? &h->client_cert : &h->client_key;

	if (item->at > 1 || *to)
		return 0;
	*to = absolute(rd->folder, item->text);
	return *to ? 0 : -ENOMEM;
}

/* header.NAME = "VALUE", or a list of values, each of which becomes a field. */
static int on_header(struct hosts_parser *rd, struct toml_host *h, const char *name,
		     const char *value)
{
	size_t size = strlen(name) + strlen(value) + 3;
	char *line;

	if (!name[0] || strpbrk(name, ": \t\r\n") || strpbrk(value, "\r\n"))
		return err_set(rd->e, -EINVAL, "not a valid header: %.80s", name);
	if (h->n_headers == TOML_HEADERS_MAX)
		return err_set(rd->e, -EINVAL, "more than %d headers", TOML_HEADERS_MAX);
	line = malloc(size);
	if (!line)
		return -ENOMEM;
	snprintf(line, size, "%s: %s", name, value);
	h->headers[h->n_headers++] = line;
	return 0;
}

/* A duration of Go: "200ms", "1m30s", "1.5s". */
static int on_dial_timeout(struct hosts_parser *rd, struct toml_host *h, const char *text)
{
	static const struct {
		const char *name;
		double ms;
	} units[] = {{"ms", 1},	     {"us", 0.001}, {"ns", 0.000001},
		     {"h", 3600000}, {"m", 60000},  {"s", 1000}};
	const char *at = text;
	double all = 0;
	size_t i;

	while (*at) {
		char *end;
		double v;

		if (!strchr("0123456789.", *at))
			break;
		v = strtod(at, &end);
		for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
			if (strncmp(end, units[i].name, strlen(units[i].name)) == 0)
				break;
		}
		if (end == at || i == sizeof(units) / sizeof(units[0]))
			break;
		all += v * units[i].ms;
		at = end + strlen(units[i].name);
	}
	if (*at || !(all >= 1 && all <= 3600000))
		return err_set(rd->e, -EINVAL,
			       "dial_timeout: not a duration such as 200ms: %.40s", text);
	h->dial_ms = (unsigned)all;
	return 0;
}

/* A setting of a host, whose table has @at words in its path. */
static int on_host_item(struct hosts_parser *rd, struct toml_host *h,
			const struct toml_item *item, size_t at)
{
	const char *key = item->depth > at ? item->path[at] : "";

	if (item->depth == at + 2 && item->what == TOML_STRING &&
	    strcmp(key, "header") == 0)
		return on_header(rd, h, item->path[at + 1], item->text);
	if (item->depth != at + 1)
		return 0;
	if (item->what == TOML_BOOL && strcmp(key, "skip_verify") == 0)
		h->skip_verify = item->truth;
	else if (item->what == TOML_BOOL && strcmp(key, "override_path") == 0)
		h->override_path = item->truth;
	if (item->what != TOML_STRING)
		return 0;
	if (strcmp(key, "capabilities") == 0)
		return on_capability(h, item);
	if (strcmp(key, "client") == 0)
		return on_client(rd, h, item);
	if (strcmp(key, "dial_timeout") == 0)
		return on_dial_timeout(rd, h, item->text);
	if (strcmp(key, "ca") == 0 && h->n_ca < TOML_CA_MAX) {
		h->ca[h->n_ca] = absolute(rd->folder, item->text);
		return h->ca[h->n_ca++] ? 0 : -ENOMEM;
	}
	return 0;
}

static int on_item(void *arg, const struct toml_item *item)
{
	struct hosts_parser *rd = arg;
	struct toml_host *h;

	if (item->what == TOML_STRING && toml_is(item, 1, "server")) {
		free(rd->out->own.url);
		rd->out->own.url = strdup(item->text);
		return rd->out->own.url ? 0 : -ENOMEM;
	}
	if (item->depth < 2 || strcmp(item->path[0], "host") != 0)
		return on_host_item(rd, &rd->out->own, item, 0);
	h = toml_host_get(rd->out, item->path[1]);
	return h ? on_host_item(rd, h, item, 2) : -ENOMEM;
}

/* "https://host:port/path", or without the scheme. */
static int split_url(struct toml_host *h, struct err *e)
{
	const char *rest = strstr(h->url, "://"), *path;
	size_t len, scheme = rest ? (size_t)(rest - h->url) : 0;
	struct buf prefix;
	int rc;

	rest = rest ? rest + 3 : h->url;
	len = strcspn(rest, "/");
	path = rest + len;
	if (!reference_is_host(rest, len) ||
	    (scheme && strncmp(h->url, "https:", 6) != 0 &&
	     strncmp(h->url, "http:", 5) != 0))
		return err_set(e, -EINVAL, "not the URL of a host: %.200s", h->url);
	h->host = strndup(rest, len);
	h->scheme = scheme ? strndup(h->url, scheme)
			   : strdup(h->host && reference_host_is_loopback(h->host)
					    ? "http"
					    : "https");
	len = strlen(path);
	while (len > 0 && path[len - 1] == '/')
		len--;
	buf_init(&prefix, 4096);
	rc = buf_append(&prefix, path, len);
	/* A path that ends in /v2 is complete; containerd has the same rule. */
	if (rc == 0 && !h->override_path &&
	    !(len >= 3 && strncmp(path + len - 3, "/v2", 3) == 0))
		rc = buf_append_text(&prefix, "/v2");
	h->prefix = prefix.len > 0 ? buf_take(&prefix) : strdup("");
	buf_release(&prefix);
	return rc == 0 && h->host && h->scheme && h->prefix ? 0 : -ENOMEM;
}

/* Adds `server` as the last host, unless a table for it exists. */
static int add_server(struct hosts_toml *ht)
{
	size_t n = ht->n;
	struct toml_host *h = toml_host_get(ht, ht->own.url);

	if (!h)
		return -ENOMEM;
	ht->has_server = true;
	if (ht->n > n) {
		free(h->url);
		*h = ht->own;
		ht->own = (struct toml_host){0};
	}
	return 0;
}

int hosts_toml_parse(const char *text, size_t len, const char *folder,
		     struct hosts_toml *out, struct err *e)
{
	struct hosts_toml ht = {.own = {.pull = true, .resolve = true}};
	struct hosts_parser rd = {.out = &ht, .folder = folder, .e = e};
	size_t i;
	int rc = toml_parse(text, len, on_item, &rd, e);

	if (rc == 0 && ht.own.url)
		rc = add_server(&ht);
	for (i = 0; i < ht.n && rc == 0; i++)
		rc = split_url(&ht.list[i], e);
	if (rc == -ENOMEM)
		err_set(e, rc, "too many hosts, or out of memory");
	if (rc < 0)
		hosts_toml_release(&ht);
	else
		*out = ht;
	return rc;
}

/* Finding the file */

static int load_folder(const char *folder, struct hosts_toml *out, struct err *e)
{
	char path[PATH_MAX];
	struct buf text;
	int rc = paths_join(path, folder, "hosts.toml");

	if (rc < 0 || !paths_exists(path))
		return -ENOENT;
	buf_init(&text, FILE_MAX);
	rc = paths_read(path, &text);
	if (rc < 0)
		err_set(e, rc, "%s", strerror(-rc));
	else
		rc = hosts_toml_parse(buf_text(&text), text.len, folder, out, e);
	buf_release(&text);
	return rc < 0 ? err_prefix(e, -EINVAL, "%s", path) : 0;
}

static int load_below(const char *root, const char *host, struct hosts_toml *out,
		      struct err *e)
{
	const char *port = strrchr(host, ':');
	char name[REFERENCE_HOST_MAX + 3], folder[PATH_MAX];
	const char *names[] = {name, host, "_default"};
	size_t i;
	int rc = -ENOENT;

	if (port && !strchr(port, ']'))
		snprintf(name, sizeof(name), "%.*s_%s_", (int)(port - host), host,
			 port + 1);
	else
		snprintf(name, sizeof(name), "%s", host);
	for (i = 0; i < sizeof(names) / sizeof(names[0]) && rc == -ENOENT; i++) {
		if (paths_join(folder, root, names[i]) == 0)
			rc = load_folder(folder, out, e);
	}
	return rc;
}

int hosts_toml_load(const char *host, struct hosts_toml *out, struct err *e)
{
	char own[PATH_MAX];
	int rc = -ENOENT;

	if (paths_config(own, "containerd/certs.d") == 0)
		rc = load_below(own, host, out, e);
	return rc == -ENOENT ? load_below("/etc/containerd/certs.d", host, out, e) : rc;
}
