/* SPDX-License-Identifier: MIT */
/*
 * The endpoints that serve a repository, in the order to ask them: from registries.conf,
 * else containerd's hosts.toml, else its own registry alone; with the certificates that
 * are configured for each host.
 *
 * hosts.toml (containerd docs/hosts.md) is searched in ~/.config/containerd/certs.d and
 * /etc/containerd/certs.d, below HOST_PORT_, HOST:PORT or _default.
 * Certificates (*.crt, *.cert with *.key) are taken from the first of these that contains
 * HOST[:PORT]/ : ~/.config/containers/certs.d, /etc/containers/certs.d,
 * ~/.config/docker/certs.d, /etc/docker/certs.d, and the two of containerd.
 */
#ifndef REGISTRY_CONFIG_HOSTS_H
#define REGISTRY_CONFIG_HOSTS_H

#include <stdbool.h>
#include <stddef.h>

#include "registry/http/http.h"
#include "registry/image/reference.h"

struct err;
struct registries;

/* All texts are owned; tls points to those of the same endpoint. */
struct endpoint {
	char *base;   /* "https://registry-1.docker.io", no path */
	char *prefix; /* of its API: "/v2" */
	char *path;   /* the repository's name there */
	char *name;   /* for its credentials and for messages: "docker.io" */
	/* the host that it mirrors (the ns parameter), or NULL */
	char *stands_for;
	/* the previous endpoint with the other scheme: its errors tell nothing new */
	bool is_guess;
	bool is_mirror;	 /* not the registry itself: nothing may be pushed to it */
	bool no_tags;	 /* not to be asked which digest a tag has */
	bool no_content; /* only for that */
	struct http_tls tls;
	char *ca_pem, *cert_file, *key_file;
	char **headers; /* ends with NULL; or NULL */
};

struct endpoints {
	struct endpoint *list;
	size_t n;
};

/* The configuration, read when it is first needed. Any thread may use it. */
struct hosts;

/*
 * @cacert, which may be NULL, is a file with certificates to trust beside the system's; it is
 * read now. @insecure accepts any certificate, and plain http where there is no TLS.
 */
int hosts_new(const char *cacert, bool insecure, struct hosts **out, struct err *e);
/* NULL is fine. */
void hosts_free(struct hosts *h);

/*
 * An empty @ref->path stands for the registry itself, which has no mirrors. -EACCES with a
 * sentence if the registry is blocked, -EINVAL if the configuration is bad.
 */
int hosts_find(struct hosts *h, const struct reference *ref, struct endpoints *out,
	       struct err *e);
void endpoints_release(struct endpoints *es);

/* The content of registries.conf, borrowed for the life of @h. -EINVAL with a sentence. */
int hosts_registries(struct hosts *h, const struct registries **out, struct err *e);
/* The TLS of hosts without a configuration of their own. Borrowed. */
const struct http_tls *hosts_elsewhere(const struct hosts *h);

#endif
