/* SPDX-License-Identifier: MIT */
#include "registry/config/hosts.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "registry/config/hosts_toml.h"
#include "registry/config/paths.h"
#include "registry/config/registries.h"

/* The system's own bundle is 220 KiB. */
#define CERTIFICATES_MAX (4u << 20)

struct hosts {
	char *ca_pem; /* of -o cacert; NULL: none */
	bool insecure;
	struct http_tls elsewhere;

	pthread_mutex_t lock; /* held while registries.conf is read, which happens once */
	bool is_read;
	struct registries registries;
};

/* What all endpoints of a search have in common. */
struct search {
	const struct reference *ref;
	bool insecure;
	const char *ca_pem; /* of -o cacert; NULL: none */
	struct endpoints found;
	struct err *e;
};

static void endpoint_release(struct endpoint *ep)
{
	free(ep->base);
	free(ep->prefix);
	free(ep->path);
	free(ep->name);
	free(ep->stands_for);
	free(ep->ca_pem);
	free(ep->cert_file);
	free(ep->key_file);
	secret_free_list(ep->headers);
	*ep = (struct endpoint){0};
}

void endpoints_release(struct endpoints *es)
{
	size_t i;

	for (i = 0; i < es->n; i++)
		endpoint_release(&es->list[i]);
	free(es->list);
	*es = (struct endpoints){0};
}

static int out_of_memory(struct err *e)
{
	return err_set(e, -ENOMEM, "out of memory");
}

/* Certificates */

static int read_certificates(const char *path, char **out, struct err *e)
{
	struct buf text;
	int rc;

	buf_init(&text, CERTIFICATES_MAX);
	rc = paths_read(path, &text);
	if (rc == 0 && !strstr(buf_text(&text), "-----BEGIN"))
		rc = err_set(e, -EINVAL, "%s: contains no certificate in PEM format",
			     path);
	else if (rc < 0)
		rc = err_set(e, -EINVAL, "%s: %s", path, strerror(-rc));
	else
		*out = buf_take(&text);
	buf_release(&text);
	return rc;
}

/* Adds trusted roots. A file may end without a line break. */
static int add_roots(struct endpoint *ep, const char *pem)
{
	struct buf all;
	int rc;

	buf_init(&all, 2 * CERTIFICATES_MAX);
	rc = buf_printf(&all, "%s\n%s", ep->ca_pem ? ep->ca_pem : "", pem);
	if (rc == 0) {
		free(ep->ca_pem);
		ep->ca_pem = buf_take(&all);
	}
	buf_release(&all);
	return rc;
}

static int add_roots_of(struct endpoint *ep, const char *path, struct err *e)
{
	char *pem = NULL;
	int rc = read_certificates(path, &pem, e);

	if (rc == 0 && add_roots(ep, pem) < 0)
		rc = err_set(e, -EINVAL, "%s: too many certificates", path);
	free(pem);
	return rc;
}

static bool ends_in(const char *name, const char *end)
{
	size_t len = strlen(name), n = strlen(end);

	return len > n && strcmp(name + len - n, end) == 0;
}

/* A file in certs.d/HOST: a root, or a client certificate, with its key beside it. */
static int add_certificate(struct endpoint *ep, const char *folder, const char *name,
			   struct err *e)
{
	char path[PATH_MAX], key[PATH_MAX];
	size_t len;

	if (paths_join(path, folder, name) < 0)
		return 0;
	if (ends_in(name, ".crt"))
		return add_roots_of(ep, path, e);
	if (!ends_in(name, ".cert") || ep->cert_file)
		return 0;
	len = strlen(path) - strlen(".cert");
	memcpy(key, path, len);
	strcpy(key + len, ".key");
	if (!paths_exists(key))
		return err_set(e, -EINVAL, "%s: there is no .key file beside it", path);
	ep->cert_file = strdup(path);
	ep->key_file = strdup(key);
	return ep->cert_file && ep->key_file ? 0 : out_of_memory(e);
}

static int add_certificates(struct endpoint *ep, const char *folder, struct err *e)
{
	struct dirent **names = NULL;
	int n = scandir(folder, &names, NULL, alphasort), i, rc = 0;

	for (i = 0; i < n; i++) {
		if (rc == 0)
			rc = add_certificate(ep, folder, names[i]->d_name, e);
		free(names[i]);
	}
	free(names);
	return rc;
}

/* From the first certs.d that has a folder for @host. */
static int find_certificates(struct endpoint *ep, const char *host, struct err *e)
{
	char places[6][PATH_MAX], folder[PATH_MAX];
	size_t i;

	paths_config(places[0], "containers/certs.d");
	strcpy(places[1], "/etc/containers/certs.d");
	paths_config(places[2], "docker/certs.d");
	strcpy(places[3], "/etc/docker/certs.d");
	paths_config(places[4], "containerd/certs.d");
	strcpy(places[5], "/etc/containerd/certs.d");
	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (paths_join(folder, places[i], host) == 0 && paths_exists(folder))
			return add_certificates(ep, folder, e);
	}
	return 0;
}

/* Endpoints */

/* Appends an endpoint with the common settings. NULL: out of memory. */
static struct endpoint *endpoint_add(struct search *s, const char *scheme,
				     const char *host, const char *prefix,
				     const char *path, const char *name)
{
	struct endpoints *es = &s->found;
	struct endpoint *ep;
	size_t len = strlen(scheme) + strlen(host) + 4;

	if (array_grow(&es->list, es->n, sizeof(*es->list)) < 0)
		return NULL;
	ep = &es->list[es->n++];
	*ep = (struct endpoint){
		.base = malloc(len),
		.prefix = strdup(prefix),
		.path = strdup(path),
		.name = strdup(name),
	};
	if (!ep->base || !ep->prefix || !ep->path || !ep->name ||
	    (s->ca_pem && add_roots(ep, s->ca_pem) < 0))
		return NULL;
	snprintf(ep->base, len, "%s://%s", scheme, host);
	return ep;
}

/* An endpoint with this scheme; docker.io has another address than its name. */
static int add_scheme(struct search *s, const char *scheme, const char *host,
		      const char *path, bool insecure, bool is_guess)
{
	const char *address = strcmp(host, "docker.io") ? host : "registry-1.docker.io";
	struct endpoint *ep = endpoint_add(s, scheme, address, "/v2", path, host);

	if (!ep)
		return out_of_memory(s->e);
	ep->is_guess = is_guess;
	ep->tls.insecure = insecure;
	return strcmp(scheme, "https") == 0 ? find_certificates(ep, host, s->e) : 0;
}

/*
 * Loopback hosts are asked in the clear first, except at port 443, as containerd does. An
 * insecure registry is asked with TLS first, as Docker does.
 */
static int add_host(struct search *s, const char *host, const char *path, bool insecure)
{
	const char *port = strrchr(host, ':');
	bool clear = reference_host_is_loopback(host) &&
		     !(port && strcmp(port, ":443") == 0);
	int rc = add_scheme(s, clear ? "http" : "https", host, path, insecure, false);

	if (rc == 0 && (clear || insecure))
		rc = add_scheme(s, clear ? "https" : "http", host, path, insecure, true);
	return rc;
}

/* @name is "host/path" from registries.conf. */
static int add_name(struct search *s, const char *name, bool insecure)
{
	const char *slash = strchr(name, '/');
	size_t len = slash ? (size_t)(slash - name) : 0;
	char *host;
	int rc;

	if (!s->ref->path[0] && slash && slash[1])
		return err_set(
			s->e, -ENOTSUP,
			"registries.conf maps the registry to %.200s, a part of one",
			name);
	if (!slash || !reference_is_host(name, len) ||
	    (slash[1] && !reference_is_path(slash + 1, strlen(slash + 1))))
		return err_set(
			s->e, -EINVAL,
			"registries.conf maps the name to %.200s, which is not the "
			"name of an image",
			name);
	host = strndup(name, len);
	rc = host ? add_host(s, host, slash + 1, insecure) : out_of_memory(s->e);
	free(host);
	return rc;
}

/* registries.conf */

static int add_mirrors(struct search *s, const struct registry *g, const char *name)
{
	size_t i;
	int rc = 0;

	if (!s->ref->path[0] || (g->mirror_by_digest_only && !s->ref->has_digest))
		return 0;
	for (i = 0; i < g->n_mirrors && rc == 0; i++) {
		const struct mirror *m = &g->mirrors[i];
		char *there;

		if (!m->location || (m->from == PULL_BY_DIGEST && !s->ref->has_digest) ||
		    (m->from == PULL_BY_TAG && s->ref->has_digest))
			continue;
		there = registries_rewrite(g, name, m->location);
		rc = there ? add_name(s, there, m->insecure || s->insecure)
			   : out_of_memory(s->e);
		free(there);
	}
	for (i = 0; i < s->found.n; i++)
		s->found.list[i].is_mirror = true;
	return rc;
}

static int add_registry(struct search *s, const struct registry *g, const char *name)
{
	char *there;
	int rc;

	if (g->blocked)
		return err_set(s->e, -EACCES, "%s is blocked by registries.conf", name);
	rc = add_mirrors(s, g, name);
	there = rc == 0 ? registries_rewrite(g, name, g->location) : NULL;
	if (rc == 0)
		rc = there ? add_name(s, there, g->insecure || s->insecure)
			   : out_of_memory(s->e);
	free(there);
	return rc;
}

/* hosts.toml */

static int copy_headers(struct endpoint *ep, const struct toml_host *th, struct err *e)
{
	size_t i;

	if (th->n_headers == 0)
		return 0;
	ep->headers = calloc(th->n_headers + 1, sizeof(*ep->headers));
	for (i = 0; ep->headers && i < th->n_headers; i++) {
		ep->headers[i] = strdup(th->headers[i]);
		if (!ep->headers[i])
			break;
	}
	return i == th->n_headers ? 0 : out_of_memory(e);
}

static int apply_settings(struct endpoint *ep, const struct toml_host *th, struct err *e)
{
	size_t i;
	int rc = copy_headers(ep, th, e);

	ep->tls.connect_ms = th->dial_ms;
	ep->tls.insecure |= th->skip_verify;
	for (i = 0; i < th->n_ca && rc == 0; i++)
		rc = add_roots_of(ep, th->ca[i], e);
	if (rc == 0 && th->client_cert) {
		free(ep->cert_file);
		free(ep->key_file);
		ep->cert_file = strdup(th->client_cert);
		ep->key_file = strdup(th->client_key ? th->client_key : th->client_cert);
		if (!ep->cert_file || !ep->key_file)
			rc = out_of_memory(e);
	}
	return rc;
}

static int add_toml_host(struct search *s, const struct toml_host *th, bool is_mirror)
{
	const char *own = s->ref->host;
	struct endpoint *ep = endpoint_add(s, th->scheme, th->host, th->prefix,
					   s->ref->path, th->host);

	if (!ep)
		return out_of_memory(s->e);
	ep->tls.insecure = s->insecure;
	ep->is_mirror = is_mirror;
	ep->no_tags = !th->resolve;
	ep->no_content = !th->pull;
	if (strcmp(th->host, own) != 0 &&
	    !(strcmp(own, "docker.io") == 0 &&
	      strcmp(th->host, "registry-1.docker.io") == 0)) {
		ep->stands_for = strdup(own);
		if (!ep->stands_for)
			return out_of_memory(s->e);
	}
	return apply_settings(ep, th, s->e);
}

/* The registry itself, with one scheme or two, and the settings at the top of the file. */
static int add_own(struct search *s, const struct toml_host *own)
{
	size_t i = s->found.n;
	int rc = add_host(s, s->ref->host, s->ref->path, s->insecure);

	for (; rc == 0 && i < s->found.n; i++)
		rc = apply_settings(&s->found.list[i], own, s->e);
	return rc;
}

static int add_toml_hosts(struct search *s, const struct hosts_toml *ht)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < ht->n && rc == 0; i++) {
		const struct toml_host *th = &ht->list[i];
		/* The server, if there is one, is last; the others are mirrors. */
		bool is_mirror = !(ht->has_server && i == ht->n - 1);

		if (!s->ref->path[0] && is_mirror)
			continue;
		if (th->resolve || th->pull)
			rc = add_toml_host(s, th, is_mirror);
	}
	if (rc == 0 && !ht->has_server)
		rc = add_own(s, &ht->own);
	return rc;
}

/* The search */

static int find_endpoints(struct search *s, const struct registries *r)
{
	char name[REFERENCE_TEXT_MAX];
	struct hosts_toml ht = {0};
	const struct registry *g = registries_match(r, reference_name(s->ref, name));
	int rc;

	if (g)
		return add_registry(s, g, name);
	rc = hosts_toml_load(s->ref->host, &ht, s->e);
	if (rc == 0)
		rc = add_toml_hosts(s, &ht);
	else if (rc == -ENOENT)
		rc = add_host(s, s->ref->host, s->ref->path, s->insecure);
	hosts_toml_release(&ht);
	return rc;
}

int hosts_find(struct hosts *h, const struct reference *ref, struct endpoints *out,
	       struct err *e)
{
	struct search s = {.ref = ref, .insecure = h->insecure, .e = e};
	const struct registries *r = NULL;
	size_t i;
	int rc = hosts_registries(h, &r, e);

	if (rc < 0)
		return rc;
	s.ca_pem = h->ca_pem;
	rc = find_endpoints(&s, r);
	if (rc < 0) {
		endpoints_release(&s.found);
		return rc;
	}
	for (i = 0; i < s.found.n; i++) {
		struct endpoint *ep = &s.found.list[i];

		ep->tls.ca_pem = ep->ca_pem;
		ep->tls.cert_file = ep->cert_file;
		ep->tls.key_file = ep->key_file;
		ep->tls.headers = (const char *const *)ep->headers;
	}
	*out = s.found;
	return 0;
}

int hosts_new(const char *cacert, bool insecure, struct hosts **out, struct err *e)
{
	struct hosts *h = calloc(1, sizeof(*h));
	int rc = 0;

	if (!h)
		return out_of_memory(e);
	/* Now, because the working directory may change. */
	if (cacert)
		rc = read_certificates(cacert, &h->ca_pem, e);
	if (rc < 0) {
		err_prefix(e, rc, "option cacert");
		free(h);
		return rc;
	}
	h->insecure = insecure;
	h->elsewhere = (struct http_tls){.ca_pem = h->ca_pem, .insecure = insecure};
	pthread_mutex_init(&h->lock, NULL);
	*out = h;
	return 0;
}

void hosts_free(struct hosts *h)
{
	if (!h)
		return;
	registries_release(&h->registries);
	pthread_mutex_destroy(&h->lock);
	free(h->ca_pem);
	free(h);
}

int hosts_registries(struct hosts *h, const struct registries **out, struct err *e)
{
	int rc = 0;

	pthread_mutex_lock(&h->lock);
	if (!h->is_read) {
		rc = registries_load(&h->registries, e);
		h->is_read = rc == 0;
	}
	pthread_mutex_unlock(&h->lock);
	if (rc == 0)
		*out = &h->registries;
	return rc;
}

const struct http_tls *hosts_elsewhere(const struct hosts *h)
{
	return &h->elsewhere;
}
